package mobileq.app;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.graphics.RectF;
import android.os.SystemClock;
import android.text.TextUtils;
import android.util.TypedValue;
import android.view.View;
import android.view.ViewGroup;
import android.view.accessibility.AccessibilityNodeInfo;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import java.util.Collections;
import java.util.List;
import mobileq.core.run.Task;

/**
 * One task on the screen: its latest answer, drawn straight onto a canvas over the picture and told
 * to those who can't see it, and what a person may set about it.
 */
public abstract class AnswerView extends View {
    /** Where the picture lies on the screen. */
    interface Projection {
        /**
         * The camera's or the photo's place.
         *
         * @return From sensor pixels to pixels of this view; null where that is not known yet.
         */
        @Nullable
        Matrix sensorToView();
    }

    private static final long SAID_MILLIS = 3000;
    private static final long SERIES_SAID_MILLIS = 10_000;

    private final Object answer = new Object();
    private List<RectF> covered = Collections.emptyList();
    private final Matrix frameToSensor = new Matrix();
    private final Matrix frameToView = new Matrix();
    private Projection projection;
    private final Runnable sayIt = this::sayIt;
    private CharSequence progress;
    private long nextMillis;

    /**
     * @param context Of the activity.
     */
    protected AnswerView(Context context) {
        super(context);
        setImportantForAccessibility(IMPORTANT_FOR_ACCESSIBILITY_YES);
        setAccessibilityLiveRegion(ACCESSIBILITY_LIVE_REGION_POLITE);
    }

    /** What else stands over the picture, in pixels of this view: nothing is to be written there. */
    protected final List<RectF> covered() {
        return covered;
    }

    /** What else stands over the picture from now on, in pixels of this view. */
    final void setCovered(List<RectF> places) {
        if (!places.equals(covered)) {
            covered = places;
            invalidate();
        }
    }

    /** Whose answers are shown. */
    protected abstract Task task();

    /**
     * Adds what can be set about the task; nothing where there is nothing.
     *
     * @param panel Where it goes.
     * @param choices What was set before, and where it is remembered.
     * @param changed To be run after each change: the next answer may be another.
     */
    protected void addControls(ViewGroup panel, Choices choices, Runnable changed) {}

    /** Copies the task's answer, which the next picture overwrites. */
    protected abstract void take();

    /** There is no answer. */
    protected abstract void forget();

    /**
     * Draws the copy.
     *
     * @param canvas Of this view.
     * @param toView From pixels of the frame, as stored, to those of this view.
     */
    protected abstract void drawAnswer(Canvas canvas, Matrix toView);

    /** The copy in words; empty where there is none. */
    protected abstract CharSequence told();

    /** Where pictures lie from now on. */
    final void setProjection(Projection newProjection) {
        projection = newProjection;
        clear();
    }

    /**
     * Shows the task's answer; on the thread that made it.
     *
     * @param toSensor From frame pixels to sensor pixels, copied.
     */
    final void show(Matrix toSensor) {
        synchronized (answer) {
            take();
            frameToSensor.set(toSensor);
        }
        postInvalidateOnAnimation();
        post(sayIt);
    }

    /**
     * Readers of the screen hear what is new, not more often than they can: of a live picture, and of
     * pictures that follow each other by themselves, less often what all of them hold.
     */
    private void sayIt() {
        removeCallbacks(sayIt);
        long now = SystemClock.uptimeMillis();
        if (now < nextMillis) { // no other picture may come
            postDelayed(sayIt, nextMillis - now);
            return;
        }
        CharSequence words = said();
        if (!TextUtils.equals(words, getContentDescription())) {
            nextMillis = now + (progress == null ? SAID_MILLIS : SERIES_SAID_MILLIS);
            setContentDescription(words);
        }
    }

    /** Nobody hears it any more: what is to be said later would keep a screen that is gone. */
    final void close() {
        removeCallbacks(sayIt);
    }

    /** How far several pictures are, to be said with what is in one; null where it is the only one. */
    final void setProgress(@Nullable CharSequence newProgress) {
        progress = newProgress;
    }

    private CharSequence said() {
        return progress == null
                ? words()
                : getResources().getString(R.string.series_said, progress, words());
    }

    /** The answer in words. */
    final CharSequence words() {
        synchronized (answer) {
            CharSequence words = told();
            return words.length() == 0 ? getResources().getString(R.string.picture) : words;
        }
    }

    /** Shows nothing; from any thread. */
    final void clear() {
        synchronized (answer) {
            forget();
        }
        postInvalidateOnAnimation();
    }

    @Override
    protected final void onDraw(@NonNull Canvas canvas) {
        super.onDraw(canvas);
        Matrix sensorToView = projection == null ? null : projection.sensorToView();
        if (sensorToView == null) {
            return;
        }
        synchronized (answer) {
            frameToView.set(frameToSensor);
            frameToView.postConcat(sensorToView);
            drawAnswer(canvas, frameToView);
        }
    }

    @Override
    public final void onInitializeAccessibilityNodeInfo(AccessibilityNodeInfo info) {
        super.onInitializeAccessibilityNodeInfo(info);
        info.setContentDescription(said());
    }

    /** Pixels of so many device-independent ones. */
    protected final float pixels(float dp) {
        return dimension(TypedValue.COMPLEX_UNIT_DIP, dp);
    }

    /** Pixels of a text of this size, as large as the person wants texts. */
    protected final float textPixels(float sp) {
        return dimension(TypedValue.COMPLEX_UNIT_SP, sp);
    }

    private float dimension(int unit, float value) {
        return TypedValue.applyDimension(unit, value, getResources().getDisplayMetrics());
    }
}

package mobileq.app;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.view.View;
import android.view.accessibility.AccessibilityNodeInfo;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import mobileq.core.detect.Detections;
import mobileq.core.manifest.ModelSpec;

/** Draws boxes with class and score straight onto its canvas, over the picture. */
public final class OverlayView extends View {
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

    private static final float LINE_DP = 2;
    private static final float TEXT_SP = 14;
    private static final float PADDING_DP = 3;
    private static final float GOLDEN_RATIO = 0.618034f;

    private final Detections detections = new Detections();
    private final Matrix frameToSensor = new Matrix();
    private final Matrix frameToView = new Matrix();
    private final RectF box = new RectF();
    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint();
    private final Paint text = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final float[] hsv = new float[3];
    private final float padding;
    private ModelSpec model;
    private Projection projection;

    /**
     * @param context As the layout gives it.
     * @param attributes As the layout gives them.
     */
    public OverlayView(Context context, @Nullable AttributeSet attributes) {
        super(context, attributes);
        float density = getResources().getDisplayMetrics().density;
        float fontScale = getResources().getConfiguration().fontScale;
        padding = PADDING_DP * density;
        line.setStyle(Paint.Style.STROKE);
        line.setStrokeWidth(LINE_DP * density);
        text.setTextSize(TEXT_SP * density * fontScale);
    }

    /** Whose classes are named. */
    void setModel(ModelSpec newModel) {
        model = newModel;
    }

    /** Where pictures lie from now on. */
    void setProjection(Projection newProjection) {
        projection = newProjection;
        clear();
    }

    /**
     * Shows boxes; from any thread.
     *
     * @param found Copied.
     * @param toSensor From frame pixels to sensor pixels, copied.
     */
    void show(Detections found, Matrix toSensor) {
        synchronized (detections) {
            detections.copyFrom(found);
            frameToSensor.set(toSensor);
        }
        postInvalidateOnAnimation();
    }

    /** Shows nothing; from any thread. */
    void clear() {
        synchronized (detections) {
            detections.clear();
        }
        postInvalidateOnAnimation();
    }

    @Override
    protected void onDraw(@NonNull Canvas canvas) {
        super.onDraw(canvas);
        Matrix sensorToView = projection == null ? null : projection.sensorToView();
        if (sensorToView == null || model == null) {
            return;
        }
        synchronized (detections) {
            frameToView.set(frameToSensor);
            frameToView.postConcat(sensorToView);
            // The best one last, on top.
            for (int i = detections.count() - 1; i >= 0; i--) {
                draw(canvas, i);
            }
        }
    }

    /** Those who can't see the boxes hear what is in the picture, best first. */
    @Override
    public void onInitializeAccessibilityNodeInfo(AccessibilityNodeInfo info) {
        super.onInitializeAccessibilityNodeInfo(info);
        Map<String, Integer> counts = new LinkedHashMap<>();
        synchronized (detections) {
            for (int i = 0; i < detections.count(); i++) {
                String label = model.label(detections.classId(i));
                Integer before = counts.get(label);
                counts.put(label, before == null ? 1 : before + 1);
            }
        }
        StringBuilder list = new StringBuilder();
        for (Map.Entry<String, Integer> entry : counts.entrySet()) {
            list.append(list.length() == 0 ? "" : ", ");
            list.append(entry.getValue()).append(" \u00d7 ").append(entry.getKey());
        }
        info.setContentDescription(
                counts.isEmpty()
                        ? getResources().getString(R.string.picture)
                        : getResources().getString(R.string.found, list));
    }

    private void draw(Canvas canvas, int index) {
        box.set(
                detections.left(index),
                detections.top(index),
                detections.right(index),
                detections.bottom(index));
        frameToView.mapRect(box);
        int classId = detections.classId(index);
        int colour = colour(classId);
        line.setColor(colour);
        canvas.drawRect(box, line);
        String label =
                String.format(
                        Locale.getDefault(),
                        "%s %.2f",
                        model.label(classId),
                        detections.score(index));
        drawLabel(canvas, label, colour);
    }

    /** On a bar above the box, or inside it where there is no room. */
    private void drawLabel(Canvas canvas, String label, int colour) {
        float height = text.descent() - text.ascent() + 2 * padding;
        float width = text.measureText(label) + 2 * padding;
        float left = Math.max(0, Math.min(box.left, getWidth() - width));
        float top = box.top >= height ? box.top - height : Math.max(0, box.top);
        bar.setColor(colour);
        canvas.drawRect(left, top, left + width, top + height, bar);
        text.setColor(isBright(colour) ? Color.BLACK : Color.WHITE);
        canvas.drawText(label, left + padding, top + padding - text.ascent(), text);
    }

    /** Hues are steps of the golden ratio, so that neighbouring classes differ most. */
    private int colour(int classId) {
        hsv[0] = 360 * ((0.58f + classId * GOLDEN_RATIO) % 1);
        hsv[1] = classId % 3 == 0 ? 0.85f : classId % 3 == 1 ? 0.6f : 0.75f;
        hsv[2] = 0.95f;
        return Color.HSVToColor(hsv);
    }

    /** By luma, ITU-R BT.601. */
    private static boolean isBright(int colour) {
        return 0.299f * Color.red(colour)
                        + 0.587f * Color.green(colour)
                        + 0.114f * Color.blue(colour)
                > 140;
    }
}

package mobileq.app.detect;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.text.TextPaint;
import android.text.TextUtils;
import android.view.ViewGroup;
import androidx.annotation.Nullable;
import java.util.LinkedHashMap;
import java.util.Map;
import mobileq.app.AnswerView;
import mobileq.app.Choices;
import mobileq.app.R;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Detections;
import mobileq.core.detect.Thresholds;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.run.Task;

/** Draws boxes with class and score. */
public final class BoxesView extends AnswerView {
    private static final float DEFAULT_SCORE = 0.25f;
    private static final float DEFAULT_IOU = 0.45f;
    private static final float LINE_DP = 2;
    private static final float TEXT_SP = 14;
    private static final float PADDING_DP = 4;
    private static final float CORNER_DP = 5;
    private static final float GOLDEN_RATIO = 0.618034f;

    private final ModelSpec model;
    private final Detection detection;
    private final Detections detections = new Detections();
    private final RectF box = new RectF();
    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final TextPaint text = new TextPaint(Paint.ANTI_ALIAS_FLAG);
    private final LabelPlaces labels = new LabelPlaces();
    private final float[] hsv = new float[3];
    private final float padding;
    private final float corner;

    /**
     * @param context Of the activity.
     * @param model Whose classes are named.
     * @param kept The task of a view before; null for a new one.
     */
    public BoxesView(Context context, ModelSpec model, @Nullable Task kept) {
        super(context);
        this.model = model;
        detection = kept == null ? new Detection(usual(model.decode())) : (Detection) kept;
        padding = pixels(PADDING_DP);
        corner = pixels(CORNER_DP);
        line.setStyle(Paint.Style.STROKE);
        line.setStrokeWidth(pixels(LINE_DP));
        text.setTextSize(textPixels(TEXT_SP));
    }

    private static Thresholds usual(DecodeSpec decode) {
        return decode == null
                ? Thresholds.display(DEFAULT_SCORE, DEFAULT_IOU)
                : Thresholds.display(decode);
    }

    @Override
    protected Task task() {
        return detection;
    }

    @Override
    protected void addControls(ViewGroup panel, Choices choices, Runnable changed) {
        new ThresholdSliders(panel, detection, choices, changed).start();
    }

    @Override
    protected void take() {
        detections.copyFrom(detection.found());
    }

    @Override
    protected void forget() {
        detections.clear();
    }

    @Override
    protected void drawAnswer(Canvas canvas, Matrix toView) {
        // The best one last, on top.
        for (int i = detections.count() - 1; i >= 0; i--) {
            if (place(toView, i)) {
                drawBox(canvas, i);
            }
        }
        labels.start(getWidth(), getHeight(), covered());
        for (int i = 0; i < detections.count(); i++) {
            if (place(toView, i)) {
                drawLabel(canvas, i);
            }
        }
    }

    /** How many of each class, best first. */
    @Override
    protected CharSequence told() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (int i = 0; i < detections.count(); i++) {
            String label = model.label(detections.classId(i));
            Integer before = counts.get(label);
            counts.put(label, before == null ? 1 : before + 1);
        }
        StringBuilder list = new StringBuilder();
        for (Map.Entry<String, Integer> entry : counts.entrySet()) {
            list.append(list.length() == 0 ? "" : ", ");
            list.append(entry.getValue()).append(" \u00d7 ").append(entry.getKey());
        }
        return counts.isEmpty() ? "" : getResources().getString(R.string.found, list);
    }

    /** Where a box is in this view; whether any of it is. */
    private boolean place(Matrix toView, int index) {
        box.set(
                detections.left(index),
                detections.top(index),
                detections.right(index),
                detections.bottom(index));
        toView.mapRect(box);
        return box.intersects(0, 0, getWidth(), getHeight());
    }

    private void drawBox(Canvas canvas, int index) {
        line.setColor(colour(detections.classId(index)));
        canvas.drawRoundRect(box, corner, corner, line);
    }

    /** Beside the box or in it, where no other label stands; the best ones are first. */
    private void drawLabel(Canvas canvas, int index) {
        int classId = detections.classId(index);
        int percent = Math.round(100 * detections.score(index));
        String score = getResources().getString(R.string.percent, percent);
        float scoreWidth = text.measureText(score);
        float height = text.descent() - text.ascent() + 2 * padding;
        float room = getWidth() - scoreWidth - 4 * padding;
        CharSequence name =
                TextUtils.ellipsize(model.label(classId), text, room, TextUtils.TruncateAt.END);
        String label = name + "  " + score;
        float width = text.measureText(label) + 2 * padding;
        box.intersect(0, 0, getWidth(), getHeight());
        RectF place = labels.take(box, width, height);
        if (place == null) {
            return;
        }
        int colour = colour(classId);
        bar.setColor(colour);
        canvas.drawRoundRect(place, corner, corner, bar);
        text.setColor(isBright(colour) ? Color.BLACK : Color.WHITE);
        canvas.drawText(label, place.left + padding, place.top + padding - text.ascent(), text);
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

package mobileq.app.detect;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.view.ViewGroup;
import java.util.LinkedHashMap;
import java.util.Locale;
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
    private static final float PADDING_DP = 3;
    private static final float GOLDEN_RATIO = 0.618034f;

    private final ModelSpec model;
    private final Detection detection;
    private final Detections detections = new Detections();
    private final RectF box = new RectF();
    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint();
    private final Paint text = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final float[] hsv = new float[3];
    private final float padding;

    /**
     * @param context Of the activity.
     * @param model Whose classes are named.
     */
    public BoxesView(Context context, ModelSpec model) {
        super(context);
        this.model = model;
        DecodeSpec decode = model.decode();
        detection =
                new Detection(
                        decode == null
                                ? Thresholds.display(DEFAULT_SCORE, DEFAULT_IOU)
                                : Thresholds.display(decode));
        padding = pixels(PADDING_DP);
        line.setStyle(Paint.Style.STROKE);
        line.setStrokeWidth(pixels(LINE_DP));
        text.setTextSize(textPixels(TEXT_SP));
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
            draw(canvas, toView, i);
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

    private void draw(Canvas canvas, Matrix toView, int index) {
        box.set(
                detections.left(index),
                detections.top(index),
                detections.right(index),
                detections.bottom(index));
        toView.mapRect(box);
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

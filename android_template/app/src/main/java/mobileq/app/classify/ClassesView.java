package mobileq.app.classify;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.text.TextPaint;
import android.text.TextUtils;
import java.util.Locale;
import mobileq.app.AnswerView;
import mobileq.app.R;
import mobileq.core.classify.Classification;
import mobileq.core.classify.TopClasses;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Task;

/**
 * Lists the best classes at the bottom of the picture, the best one first; where they have
 * probabilities, behind each a bar across the whole width for 1.
 */
public final class ClassesView extends AnswerView {
    private static final float TEXT_SP = 16;
    private static final float PADDING_DP = 8;

    private final ModelSpec model;
    private final Classification classification = new Classification();
    private final TopClasses best = new TopClasses(Classification.MOST);
    private final Paint shade = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final TextPaint text = new TextPaint(Paint.ANTI_ALIAS_FLAG);
    private final float padding;
    private final float corner;

    /**
     * @param context Of the activity.
     * @param model Whose classes are named.
     */
    public ClassesView(Context context, ModelSpec model) {
        super(context);
        this.model = model;
        padding = pixels(PADDING_DP);
        corner = padding / 2;
        shade.setColor(context.getColor(R.color.shade));
        bar.setColor(context.getColor(R.color.bar));
        text.setColor(Color.WHITE);
        text.setTextSize(textPixels(TEXT_SP));
    }

    @Override
    protected Task task() {
        return classification;
    }

    @Override
    protected void take() {
        best.copyFrom(classification.best());
    }

    @Override
    protected void forget() {
        best.clear();
    }

    @Override
    protected void drawAnswer(Canvas canvas, Matrix toView) {
        if (best.count() == 0) {
            return;
        }
        float line = text.getFontSpacing() + corner;
        float top = getHeight() - best.count() * line - 2 * padding;
        canvas.drawRoundRect(
                padding, top - padding, getWidth() - padding, getHeight() - padding,
                padding, padding, shade);
        float y = top + padding - text.ascent();
        for (int rank = 0; rank < best.count(); rank++, y += line) {
            if (model.classes() != null) {
                float share = Math.max(0, Math.min(1, best.score(rank)));
                float upper = y + text.ascent();
                float start = 2 * padding;
                float end = start + share * (getWidth() - 4 * padding);
                canvas.drawRoundRect(start, upper, end, upper + text.getFontSpacing(), corner, corner, bar);
            }
            String score = score(rank);
            float scoreWidth = text.measureText(score);
            float room = getWidth() - scoreWidth - 7 * padding;
            CharSequence label =
                    TextUtils.ellipsize(label(rank), text, room, TextUtils.TruncateAt.END);
            canvas.drawText(label, 0, label.length(), 3 * padding, y, text);
            canvas.drawText(score, getWidth() - 3 * padding - scoreWidth, y, text);
        }
    }

    @Override
    protected CharSequence told() {
        StringBuilder list = new StringBuilder();
        for (int rank = 0; rank < best.count(); rank++) {
            list.append(rank == 0 ? "" : ", ").append(label(rank)).append(' ').append(score(rank));
        }
        return best.count() == 0 ? "" : getResources().getString(R.string.best_classes, list);
    }

    private String label(int rank) {
        return model.label(best.classId(rank));
    }

    /** Values that are no probabilities stay as they are. */
    private String score(int rank) {
        return model.classes() == null
                ? String.format(Locale.getDefault(), "%.3f", best.score(rank))
                : getResources().getString(R.string.percent, Math.round(100 * best.score(rank)));
    }
}

package mobileq.app.classify;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.text.TextPaint;
import android.text.TextUtils;
import androidx.annotation.Nullable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import mobileq.app.AnswerView;
import mobileq.app.R;
import mobileq.core.classify.Classification;
import mobileq.core.classify.TopClasses;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.classes.ClassHead;
import mobileq.core.run.Task;

/**
 * Lists the best classes at the bottom of the picture, head by head, the best one first; where they
 * have probabilities, behind each a bar across the whole width for 1.
 */
public final class ClassesView extends AnswerView {
    private static final float TEXT_SP = 16;
    private static final float PADDING_DP = 8;

    private final ModelSpec model;
    private final Classification classification;
    private final List<TopClasses> best = new ArrayList<>();
    private final List<ClassHead> heads;
    private final Paint shade = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint bar = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final TextPaint text = new TextPaint(Paint.ANTI_ALIAS_FLAG);
    private final RectF place = new RectF(); // of the list, as it was drawn last
    private final float padding;
    private final float corner;

    /**
     * @param context Of the activity.
     * @param model Whose classes are named.
     * @param kept The task of a view before; null for a new one.
     */
    public ClassesView(Context context, ModelSpec model, @Nullable Task kept) {
        super(context);
        this.model = model;
        classification = kept == null ? new Classification() : (Classification) kept;
        heads = model.classes() == null ? Collections.emptyList() : model.classes().heads();
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
        List<TopClasses> found = classification.best();
        while (best.size() < found.size()) {
            best.add(new TopClasses(Classification.MOST, 0));
        }
        for (int head = 0; head < found.size(); head++) {
            best.get(head).copyFrom(found.get(head));
        }
    }

    @Override
    protected void forget() {
        best.forEach(TopClasses::clear);
    }

    @Override
    protected void drawAnswer(Canvas canvas, Matrix toView) {
        float line = text.getFontSpacing() + corner;
        place.set(padding, 0, getWidth() - padding, getHeight());
        for (RectF each : covered()) {
            if (each.centerY() < getHeight() / 2f) {
                place.top = Math.max(place.top, each.bottom);
            } else {
                place.bottom = Math.min(place.bottom, each.top);
            }
        }
        place.bottom -= padding;
        int most = most((int) ((place.height() - 2 * padding) / line));
        int lines = 0;
        for (TopClasses each : best) {
            lines += Math.min(most, each.count());
        }
        if (lines == 0) {
            return;
        }
        place.top = place.bottom - lines * line - 2 * padding;
        canvas.drawRoundRect(place, padding, padding, shade);
        float y = place.top + 2 * padding - text.ascent();
        for (int head = 0; head < best.size(); head++) {
            int shown = Math.min(most, best.get(head).count());
            for (int rank = 0; rank < shown; rank++, y += line) {
                drawLine(canvas, head, rank, y);
            }
        }
    }

    /** How many classes of each head there is room for: at least the best one. */
    private int most(int lines) {
        return Math.max(1, Math.min(Classification.MOST, lines / Math.max(1, best.size())));
    }

    private void drawLine(Canvas canvas, int head, int rank, float y) {
        if (model.classes() != null) {
            float share = Math.max(0, Math.min(1, best.get(head).score(rank)));
            float upper = y + text.ascent();
            float length = share * (getWidth() - 4 * padding);
            float left = start(2 * padding, length);
            canvas.drawRoundRect(
                    left,
                    upper,
                    left + length,
                    upper + text.getFontSpacing(),
                    corner,
                    corner,
                    bar);
        }
        String score = score(head, rank);
        float scoreWidth = text.measureText(score);
        float room = getWidth() - scoreWidth - 7 * padding;
        CharSequence label =
                TextUtils.ellipsize(label(head, rank), text, room, TextUtils.TruncateAt.END);
        float labelWidth = text.measureText(label, 0, label.length());
        float end = getWidth() - 3 * padding - scoreWidth;
        canvas.drawText(label, 0, label.length(), start(3 * padding, labelWidth), y, text);
        canvas.drawText(score, start(end, scoreWidth), y, text);
    }

    /** The left end of what begins so far from where reading begins. */
    private float start(float distance, float width) {
        return getLayoutDirection() == LAYOUT_DIRECTION_RTL
                ? getWidth() - distance - width
                : distance;
    }

    @Override
    protected CharSequence told() {
        StringBuilder list = new StringBuilder();
        for (int head = 0; head < best.size(); head++) {
            for (int rank = 0; rank < best.get(head).count(); rank++) {
                list.append(list.length() == 0 ? "" : ", ").append(label(head, rank));
                list.append(' ').append(score(head, rank));
            }
        }
        return list.length() == 0 ? "" : getResources().getString(R.string.best_classes, list);
    }

    private String label(int head, int rank) {
        String label = model.label(best.get(head).classId(rank));
        return heads.size() > 1 ? heads.get(head).name() + ": " + label : label;
    }

    /** Values that are no probabilities stay as they are. */
    private String score(int head, int rank) {
        float score = best.get(head).score(rank);
        return model.classes() == null
                ? String.format(Locale.getDefault(), "%.3f", score)
                : getResources().getString(R.string.percent, Math.round(100 * score));
    }
}

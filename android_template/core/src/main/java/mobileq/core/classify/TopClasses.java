package mobileq.core.classify;

import java.util.Arrays;
import mobileq.core.tensor.Tensor;

/** The highest values of one of a classifier's outputs, as the model gives them or as probabilities. */
public final class TopClasses {
    private final int[] classIds;
    private final float[] scores;
    private int first;
    private int count;

    /**
     * @param most How many to keep.
     * @param first The number of the output's first class.
     */
    public TopClasses(int most, int first) {
        this.first = first;
        classIds = new int[most];
        scores = new float[most];
    }

    /**
     * Looks for the highest values, equal ones in the order of classes; values that are not numbers
     * are left out.
     *
     * @param output [1, classes] or [classes].
     */
    public void read(Tensor output) {
        count = 0;
        Arrays.fill(scores, Float.NEGATIVE_INFINITY);
        int classes = output.spec().elementCount();
        for (int classId = 0; classId < classes; classId++) {
            float score = output.real(classId);
            boolean isHigher = count < scores.length || score > scores[count - 1];
            if (isHigher && !Float.isNaN(score)) {
                insert(classId, score);
            }
        }
    }

    /**
     * Makes probabilities of the values that were read, over all classes whose value is a number.
     *
     * @param output What {@link #read} was given: logits.
     */
    public void softmax(Tensor output) {
        if (count == 0) {
            return;
        }
        double highest = scores[0];
        double total = 0;
        int classes = output.spec().elementCount();
        for (int classId = 0; classId < classes; classId++) {
            float value = output.real(classId);
            if (!Float.isNaN(value)) {
                total += weight(value, highest);
            }
        }
        for (int rank = 0; rank < count; rank++) {
            scores[rank] = (float) (weight(scores[rank], highest) / total);
        }
    }

    /** 1 for the highest, also where it is infinite. */
    private static double weight(float value, double highest) {
        return value == highest ? 1 : Math.exp(value - highest);
    }

    private void insert(int classId, float score) {
        int rank = Math.min(count, scores.length - 1);
        while (rank > 0 && scores[rank - 1] < score) {
            scores[rank] = scores[rank - 1];
            classIds[rank] = classIds[rank - 1];
            rank--;
        }
        scores[rank] = score;
        classIds[rank] = classId;
        count = Math.min(count + 1, scores.length);
    }

    /** Becomes a copy of others. */
    public void copyFrom(TopClasses others) {
        first = others.first;
        count = Math.min(others.count, scores.length);
        System.arraycopy(others.classIds, 0, classIds, 0, count);
        System.arraycopy(others.scores, 0, scores, 0, count);
    }

    /** Forgets all. */
    public void clear() {
        count = 0;
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** The class at a rank, numbered one output after the other. */
    public int classId(int rank) {
        return first + classIds[rank];
    }

    /** The model's value for it, or its probability. */
    public float score(int rank) {
        return scores[rank];
    }
}

package mobileq.core.detect.decode;

import mobileq.core.tensor.Rows;

/** The scores of one row: class scores, times objectness where there is one. */
final class ClassPicker {
    private final float[] scores;
    private float best;
    private int bestClass;

    ClassPicker(int classCount) {
        scores = new float[classCount];
    }

    /**
     * Reads a row.
     *
     * @param rows Activated class scores.
     * @param row Which.
     * @param firstChannel Of class 0.
     * @param objectness Multiplied with each in 32 bits; 1 where there is none.
     * @param threshold What the best must reach.
     * @return Whether it does. A row with a score that is not a number does not.
     */
    boolean reaches(Rows rows, int row, int firstChannel, float objectness, float threshold) {
        best = Float.NEGATIVE_INFINITY;
        bestClass = 0;
        for (int classId = 0; classId < scores.length; classId++) {
            float score = rows.get(row, firstChannel + classId) * objectness;
            if (score > best) {
                best = score;
                bestClass = classId;
            } else if (Float.isNaN(score)) {
                return false;
            }
            scores[classId] = score;
        }
        return best >= threshold;
    }

    /** Adds the row's box for its best class, or for each that reaches the threshold. */
    void add(
            Candidates found,
            boolean everyClass,
            float threshold,
            float x1,
            float y1,
            float x2,
            float y2) {
        if (!everyClass) {
            found.add(x1, y1, x2, y2, best, bestClass);
            return;
        }
        for (int classId = 0; classId < scores.length; classId++) {
            if (scores[classId] >= threshold) {
                found.add(x1, y1, x2, y2, scores[classId], classId);
            }
        }
    }
}

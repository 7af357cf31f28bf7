package mobileq.core.decode;

import java.util.Arrays;

/**
 * Boxes in model-input pixels with one class each, in the order of the model's anchors, then of
 * classes. Grows to the busiest picture seen and is filled again for every one.
 */
public final class Candidates {
    private int count;
    private float[] xyxy = new float[4 * 256];
    private float[] score = new float[256];
    private int[] classId = new int[256];

    /** Forgets all. */
    public void clear() {
        count = 0;
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** Adds one. */
    public void add(float x1, float y1, float x2, float y2, float newScore, int newClass) {
        if (count == score.length) {
            xyxy = Arrays.copyOf(xyxy, 2 * xyxy.length);
            score = Arrays.copyOf(score, 2 * count);
            classId = Arrays.copyOf(classId, 2 * count);
        }
        int at = 4 * count;
        xyxy[at] = x1;
        xyxy[at + 1] = y1;
        xyxy[at + 2] = x2;
        xyxy[at + 3] = y2;
        score[count] = newScore;
        classId[count] = newClass;
        count++;
    }

    /** One of the four coordinates, left, top, right, bottom. */
    public float coordinate(int index, int side) {
        return xyxy[4 * index + side];
    }

    /** 0 to 1 in a model that works. */
    public float score(int index) {
        return score[index];
    }

    /** Index into the labels. */
    public int classId(int index) {
        return classId[index];
    }

    /** Whether all five numbers are finite: a broken model's may not be. */
    public boolean isFinite(int index) {
        int at = 4 * index;
        // A difference of finite numbers may overflow; a sum of zeros can't.
        float zero = 0 * xyxy[at] + 0 * xyxy[at + 1] + 0 * xyxy[at + 2] + 0 * xyxy[at + 3];
        return zero + 0 * score[index] == 0;
    }
}

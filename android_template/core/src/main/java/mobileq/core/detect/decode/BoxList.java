package mobileq.core.detect.decode;

import java.util.Arrays;

/**
 * Boxes with a score and one class each. Grows to the busiest picture seen and is filled again for
 * every one.
 */
public abstract class BoxList {
    private int count;
    private float[] xyxy;
    private float[] score;
    private int[] classId;

    /**
     * @param capacity Boxes that it holds before it grows, at least 1.
     */
    protected BoxList(int capacity) {
        xyxy = new float[4 * capacity];
        score = new float[capacity];
        classId = new int[capacity];
    }

    /** Forgets all. */
    public final void clear() {
        count = 0;
    }

    /** How many there are. */
    public final int count() {
        return count;
    }

    /** Adds one, behind the others. */
    public final void add(
            float x1, float y1, float x2, float y2, float newScore, int newClass) {
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
    public final float coordinate(int index, int side) {
        return xyxy[4 * index + side];
    }

    /** 0 to 1 in a model that works. */
    public final float score(int index) {
        return score[index];
    }

    /** Index into the model's labels. */
    public final int classId(int index) {
        return classId[index];
    }
}

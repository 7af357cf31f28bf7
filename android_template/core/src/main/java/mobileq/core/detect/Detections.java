package mobileq.core.detect;

import java.util.Arrays;

/**
 * What was found in one picture, by score, highest first. Boxes are in pixels of the picture as
 * stored, before its rotation; a coordinate is the distance from the picture's edge.
 *
 * <p>Filled again for every picture; whoever keeps it beyond one takes a copy.
 */
public final class Detections {
    private int count;
    private float[] xyxy = new float[4 * 16];
    private float[] score = new float[16];
    private int[] classId = new int[16];

    /** Forgets all. */
    public void clear() {
        count = 0;
    }

    /** Adds one, behind the others. */
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

    /** Becomes a copy of others. */
    public void copyFrom(Detections others) {
        clear();
        for (int i = 0; i < others.count; i++) {
            float[] box = others.xyxy;
            int at = 4 * i;
            add(
                    box[at],
                    box[at + 1],
                    box[at + 2],
                    box[at + 3],
                    others.score[i],
                    others.classId[i]);
        }
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** Left edge, pixels. */
    public float left(int index) {
        return xyxy[4 * index];
    }

    /** Upper edge, pixels. */
    public float top(int index) {
        return xyxy[4 * index + 1];
    }

    /** Right edge, pixels. */
    public float right(int index) {
        return xyxy[4 * index + 2];
    }

    /** Lower edge, pixels. */
    public float bottom(int index) {
        return xyxy[4 * index + 3];
    }

    /** 0 to 1. */
    public float score(int index) {
        return score[index];
    }

    /** Index into the model's labels. */
    public int classId(int index) {
        return classId[index];
    }
}

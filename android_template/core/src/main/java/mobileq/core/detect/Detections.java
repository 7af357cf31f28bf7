package mobileq.core.detect;

import mobileq.core.detect.decode.BoxList;

/**
 * What was found in one picture, by score, highest first. Boxes are in pixels of the picture as
 * stored, before its rotation; a coordinate is the distance from the picture's edge.
 *
 * <p>Filled again for every picture; whoever keeps it beyond one takes a copy.
 */
public final class Detections extends BoxList {
    /** None yet. */
    public Detections() {
        super(16);
    }

    /** Becomes a copy of others. */
    public void copyFrom(Detections others) {
        clear();
        for (int i = 0; i < others.count(); i++) {
            add(
                    others.left(i),
                    others.top(i),
                    others.right(i),
                    others.bottom(i),
                    others.score(i),
                    others.classId(i));
        }
    }

    /** Left edge, pixels. */
    public float left(int index) {
        return coordinate(index, 0);
    }

    /** Upper edge, pixels. */
    public float top(int index) {
        return coordinate(index, 1);
    }

    /** Right edge, pixels. */
    public float right(int index) {
        return coordinate(index, 2);
    }

    /** Lower edge, pixels. */
    public float bottom(int index) {
        return coordinate(index, 3);
    }
}

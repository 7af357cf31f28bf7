package mobileq.core.detect.decode;

/**
 * Boxes in model-input pixels with one class each, in the order of the model's anchors, then of
 * classes.
 */
public final class Candidates extends BoxList {
    /** None yet. */
    public Candidates() {
        super(256);
    }

    /** Whether all five numbers are finite: a broken model's may not be. */
    public boolean isFinite(int index) {
        // A difference of finite numbers may overflow; a sum of zeros can't.
        float zero = 0 * score(index);
        for (int side = 0; side < 4; side++) {
            zero += 0 * coordinate(index, side);
        }
        return zero == 0;
    }
}

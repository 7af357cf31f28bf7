package mobileq.core.detect.decode;

/**
 * A head that was trained to give every object one box, cut at its last convolutions: the best
 * pairs of anchor and class are the detections, as in the top-k step of the whole graph (YOLOv10,
 * Wang et al., 2024).
 */
final class BestPairs implements Head {
    /** What the exported graphs keep of one picture. */
    private static final int KEPT = 300;

    private final Head head;

    BestPairs(Head head) {
        this.head = head;
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        head.decode(scoreThreshold, true, found);
    }

    @Override
    public boolean needsNms() {
        return false;
    }

    @Override
    public int limit() {
        return KEPT;
    }
}

package mobileq.core.detect;

import mobileq.core.manifest.decode.DecodeSpec;

/**
 * What becomes a detection.
 *
 * @param score A candidate's score must be at least this.
 * @param iou A box goes where its IoU with a better one of its class is above this.
 * @param maxDetections So many are kept of one picture, the best.
 * @param everyClass Whether a box may stand for every class it reaches `score` in, or only for its
 *     best one (the first of equals).
 * @param maxCandidates So many compete, the best.
 */
public record Thresholds(
        float score, float iou, int maxDetections, boolean everyClass, int maxCandidates) {
    private static final int MAX_DETECTIONS = 300;
    private static final int MAX_CANDIDATES = 30000;

    /** For showing to people: one class per box. */
    public static Thresholds display(float score, float iou) {
        return new Thresholds(score, iou, MAX_DETECTIONS, false, MAX_CANDIDATES);
    }

    /** The model's own thresholds, for showing to people. */
    public static Thresholds display(DecodeSpec spec) {
        return display((float) spec.scoreThreshold(), (float) spec.iouThreshold());
    }

    /** For measuring mAP: nearly everything, ranked. */
    public static Thresholds evaluation() {
        return new Thresholds(0.001f, 0.65f, MAX_DETECTIONS, true, MAX_CANDIDATES);
    }
}

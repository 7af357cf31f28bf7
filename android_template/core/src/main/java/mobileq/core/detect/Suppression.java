package mobileq.core.detect;

import mobileq.core.detect.decode.Candidates;

/**
 * Greedy, class-aware non-maximum suppression: best first, a box is kept where it overlaps no kept
 * one of its class by more than the threshold.
 */
final class Suppression {
    private final BestFirst order = new BestFirst();
    private int[] kept = new int[0];
    private float[] areas = new float[0];
    private int count;

    /**
     * Chooses among candidates; those that are not finite are left out.
     *
     * @param candidates In model-input pixels.
     * @param needsNms Whether one object may be among them more than once.
     * @param limit Where not: only so many, the best, are looked at.
     * @param thresholds What becomes a detection.
     * @return How many; their indices are in {@link #kept(int)}, best first.
     */
    int select(Candidates candidates, boolean needsNms, int limit, Thresholds thresholds) {
        if (kept.length < thresholds.maxDetections()) {
            kept = new int[thresholds.maxDetections()];
            areas = new float[thresholds.maxDetections()];
        }
        count = 0;
        order.fill(candidates, needsNms);
        int looked = 0;
        int most = needsNms ? thresholds.maxCandidates() : limit;
        while (!order.isEmpty() && looked < most && count < thresholds.maxDetections()) {
            int candidate = order.next();
            looked++;
            if (needsNms) {
                float area = area(candidates, candidate);
                if (!isTaken(candidates, candidate, area, thresholds.iou())) {
                    areas[count] = area;
                    kept[count++] = candidate;
                }
            } else if (candidates.isFinite(candidate)) {
                kept[count++] = candidate;
            }
        }
        return count;
    }

    /** The index of the detection at a rank. */
    int kept(int rank) {
        return kept[rank];
    }

    private boolean isTaken(Candidates candidates, int candidate, float area, float threshold) {
        int classId = candidates.classId(candidate);
        for (int rank = 0; rank < count; rank++) {
            int other = kept[rank];
            if (candidates.classId(other) == classId
                    && overlap(candidates, candidate, area, other, areas[rank], threshold)) {
                return true;
            }
        }
        return false;
    }

    /** {@code max(0, x2 - x1) * max(0, y2 - y1)}; infinite where that is too large. */
    private static float area(Candidates boxes, int index) {
        float width = boxes.coordinate(index, 2) - boxes.coordinate(index, 0);
        float height = boxes.coordinate(index, 3) - boxes.coordinate(index, 1);
        return Math.max(width, 0) * Math.max(height, 0);
    }

    /**
     * Whether the IoU is above the threshold, in 32 bits and without a division: {@code
     * intersection > threshold * ((area + otherArea) - intersection)}.
     */
    private static boolean overlap(
            Candidates boxes, int index, float area, int other, float otherArea, float threshold) {
        float right = Math.min(boxes.coordinate(index, 2), boxes.coordinate(other, 2));
        float left = Math.max(boxes.coordinate(index, 0), boxes.coordinate(other, 0));
        float bottom = Math.min(boxes.coordinate(index, 3), boxes.coordinate(other, 3));
        float top = Math.max(boxes.coordinate(index, 1), boxes.coordinate(other, 1));
        float intersection = Math.max(right - left, 0) * Math.max(bottom - top, 0);
        return intersection > threshold * ((area + otherArea) - intersection);
    }
}

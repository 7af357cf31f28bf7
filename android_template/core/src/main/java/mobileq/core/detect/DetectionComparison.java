package mobileq.core.detect;

import mobileq.core.BundleException;
import mobileq.core.check.Comparison;
import mobileq.core.check.Difference;
import mobileq.core.json.Fields;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.run.Task;

/** Objects of one picture found twice: the same are of one class and lie over each other. */
final class DetectionComparison implements Comparison {
    private static final float SAME_PLACE = 0.5f;

    /** An object that one alone finds must have so many times the score that one needs to count. */
    private static final float CLEARLY = 1.4f;

    private static final float LOWEST = 0.05f;

    private final Detection detection;
    private final Detections kept = new Detections();
    private final float threshold;

    DetectionComparison(DecodeSpec spec) {
        Thresholds shown = Thresholds.display(spec);
        threshold = shown.score();
        float lowest = Math.min(LOWEST, threshold);
        detection = new Detection(Thresholds.display(lowest, shown.iou()));
    }

    @Override
    public Task task() {
        return detection;
    }

    @Override
    public void keep() {
        kept.copyFrom(detection.found());
    }

    @Override
    public void keep(Fields golden) throws BundleException {
        kept.clear();
        golden.objects(
                "detections",
                found -> {
                    double[] box = found.numbers("xyxy");
                    if (box.length != 4) {
                        throw found.wrong("xyxy", "%d values", box.length);
                    }
                    kept.add(
                            (float) box[0],
                            (float) box[1],
                            (float) box[2],
                            (float) box[3],
                            (float) found.number("score", 0),
                            found.integer("class_id"));
                    return null;
                });
    }

    @Override
    public Difference difference() {
        Detections found = detection.found();
        boolean[] isTaken = new boolean[found.count()];
        float clear = CLEARLY * level();
        int missing = 0;
        float score = 0;
        for (int i = 0; i < kept.count(); i++) {
            int partner = partner(i, found, isTaken);
            if (partner >= 0) {
                isTaken[partner] = true;
                score = Math.max(score, Math.abs(found.score(partner) - kept.score(i)));
            } else if (kept.score(i) >= clear) {
                missing++;
            }
        }
        int added = 0;
        for (int i = 0; i < found.count(); i++) {
            if (!isTaken[i] && found.score(i) >= clear) {
                added++;
            }
        }
        return new Difference(missing, added, score);
    }

    /** From which score on an object counts; lower on a picture where none has the model's. */
    private float level() {
        float best = 0;
        for (int i = 0; i < kept.count(); i++) {
            best = Math.max(best, kept.score(i));
        }
        return best == 0 ? threshold : Math.min(threshold, best / 2);
    }

    /** The one that lies most over it; negative where none does. */
    private int partner(int index, Detections found, boolean[] isTaken) {
        int best = -1;
        float most = SAME_PLACE;
        for (int i = 0; i < found.count(); i++) {
            if (!isTaken[i] && found.classId(i) == kept.classId(index)) {
                float overlap = overlap(kept, index, found, i);
                if (overlap >= most) {
                    most = overlap;
                    best = i;
                }
            }
        }
        return best;
    }

    private static float overlap(Detections some, int i, Detections others, int j) {
        float right = Math.min(some.right(i), others.right(j));
        float left = Math.max(some.left(i), others.left(j));
        float bottom = Math.min(some.bottom(i), others.bottom(j));
        float top = Math.max(some.top(i), others.top(j));
        float both = Math.max(right - left, 0) * Math.max(bottom - top, 0);
        return both / (area(some, i) + area(others, j) - both);
    }

    private static float area(Detections boxes, int i) {
        return (boxes.right(i) - boxes.left(i)) * (boxes.bottom(i) - boxes.top(i));
    }
}

package mobileq.core.detect;

import mobileq.core.detect.decode.Candidates;
import mobileq.core.detect.decode.Head;
import mobileq.core.image.Frame;
import mobileq.core.image.Letterbox;

/** From output tensors to detections in the picture. Of one thread; allocates nothing in the end. */
public final class Postprocessor {
    private final Head head;
    private final Candidates candidates = new Candidates();
    private final Suppression suppression = new Suppression();
    private final float[] box = new float[4];

    /**
     * @param head What reads the model's outputs.
     */
    public Postprocessor(Head head) {
        this.head = head;
    }

    /**
     * Decodes, suppresses duplicates, and maps the boxes back. They are clipped to the part of the
     * frame that counts; those that lay wholly in the padding are dropped.
     *
     * @param letterbox Where the frame lies in the model's input.
     * @param frame Which part of it was looked at.
     * @param thresholds What becomes a detection.
     * @param found Filled anew, in pixels of the whole frame as stored.
     */
    public void run(
            Letterbox letterbox, Frame frame, Thresholds thresholds, Detections found) {
        candidates.clear();
        found.clear();
        head.decode(thresholds.score(), thresholds.everyClass(), candidates);
        int count = suppression.select(candidates, head.needsNms(), head.limit(), thresholds);
        for (int rank = 0; rank < count; rank++) {
            int index = suppression.kept(rank);
            for (int side = 0; side < 4; side++) {
                box[side] = candidates.coordinate(index, side);
            }
            letterbox.toSource(box);
            if (box[2] > box[0] && box[3] > box[1]) {
                found.add(
                        box[0] + frame.cropLeft,
                        box[1] + frame.cropTop,
                        box[2] + frame.cropLeft,
                        box[3] + frame.cropTop,
                        candidates.score(index),
                        candidates.classId(index));
            }
        }
    }
}

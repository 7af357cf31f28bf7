package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.HeadOutput;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/** Decoded boxes, each with a score for every class, in one tensor or two. */
final class ScoredBoxes implements Head {
    private final Rows boxes;
    private final Rows scores;
    private final int firstScore;
    private final int classCount;
    private final boolean needsNms;
    private final int[] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    private ScoredBoxes(
            HeadTensors tensors, Rows boxes, Rows scores, int firstScore, boolean needsNms)
            throws BundleException {
        if (boxes.count != scores.count) {
            throw new BundleException(
                    "The head gives "
                            + boxes.count
                            + " boxes and scores of "
                            + scores.count
                            + ".");
        }
        this.boxes = boxes;
        this.scores = scores;
        this.firstScore = firstScore;
        this.needsNms = needsNms;
        classCount = tensors.spec.classCount();
        passing = new int[scores.count];
        picker = new ClassPicker(classCount);
        box = new BoxReader(tensors.spec, tensors.width, tensors.height);
    }

    /** Of [4 + classes, anchors] or [anchors, 4 + classes], as YOLOv8 and its kin give it. */
    static ScoredBoxes ofAnchors(HeadTensors tensors) throws BundleException {
        Rows rows =
                new Rows(
                        tensors.tensor(tensors.find(null, OutputRole.PREDICTIONS)),
                        4 + tensors.spec.classCount(),
                        true,
                        Activation.NONE);
        return new ScoredBoxes(tensors, rows, rows, 4, true);
    }

    /**
     * Of boxes [N, 4] and class scores or logits [N, classes]: a row per query, as an RT-DETR's, or
     * per cell, as a YOLO-NAS's, whose boxes still compete.
     */
    static ScoredBoxes ofTwo(HeadTensors tensors, boolean needsNms) throws BundleException {
        Rows boxes = tensors.rows(tensors.find(null, OutputRole.BOXES), 4, Activation.NONE);
        HeadOutput classes =
                tensors.find(null, OutputRole.CLASS_SCORES, OutputRole.CLASS_LOGITS);
        boolean areLogits = classes.role() == OutputRole.CLASS_LOGITS;
        Rows scores =
                tensors.rows(
                        classes,
                        tensors.spec.classCount(),
                        areLogits ? Activation.SIGMOID : Activation.NONE);
        return new ScoredBoxes(tensors, boxes, scores, 0, needsNms);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        int near = scores.reaching(firstScore, classCount, scoreThreshold, passing);
        for (int i = 0; i < near; i++) {
            int row = passing[i];
            if (picker.reaches(scores, row, firstScore, 1, scoreThreshold)) {
                box.read(
                        boxes.get(row, 0),
                        boxes.get(row, 1),
                        boxes.get(row, 2),
                        boxes.get(row, 3));
                picker.add(found, everyClass, scoreThreshold, box.x1, box.y1, box.x2, box.y2);
            }
        }
    }

    @Override
    public boolean needsNms() {
        return needsNms;
    }
}

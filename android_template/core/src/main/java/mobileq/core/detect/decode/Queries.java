package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/** Two tensors, a row per query: boxes [N, 4] and class logits [N, C], as an RT-DETR's. */
final class Queries implements Head {
    private final DecodeSpec spec;
    private final Rows boxes;
    private final Rows scores;
    private final int[] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    Queries(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        boxes = tensors.rows(tensors.find(null, OutputRole.BOXES), 4, Activation.NONE);
        scores =
                tensors.rows(
                        tensors.find(null, OutputRole.CLASS_LOGITS),
                        spec.classCount(),
                        Activation.SIGMOID);
        if (boxes.count != scores.count) {
            throw new BundleException(
                    "The head gives "
                            + boxes.count
                            + " boxes and scores of "
                            + scores.count
                            + ".");
        }
        passing = new int[scores.count];
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        int near = scores.reaching(0, spec.classCount(), scoreThreshold, passing);
        for (int i = 0; i < near; i++) {
            int row = passing[i];
            if (picker.reaches(scores, row, 0, 1, scoreThreshold)) {
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
        return false;
    }

    @Override
    public int limit() {
        return Integer.MAX_VALUE;
    }
}

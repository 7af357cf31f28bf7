package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/** One tensor of [4 + classes, anchors] or [anchors, 4 + classes], as YOLOv8 and its kin give it. */
final class ScoredBoxes implements Head {
    private final DecodeSpec spec;
    private final Rows rows;
    private final int[] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    ScoredBoxes(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        rows =
                new Rows(
                        tensors.tensor(tensors.find(null, OutputRole.PREDICTIONS)),
                        4 + spec.classCount(),
                        true,
                        Activation.NONE);
        passing = new int[rows.count];
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        int near = rows.reaching(4, spec.classCount(), scoreThreshold, passing);
        for (int i = 0; i < near; i++) {
            int row = passing[i];
            if (picker.reaches(rows, row, 4, 1, scoreThreshold)) {
                box.read(rows.get(row, 0), rows.get(row, 1), rows.get(row, 2), rows.get(row, 3));
                picker.add(found, everyClass, scoreThreshold, box.x1, box.y1, box.x2, box.y2);
            }
        }
    }

    @Override
    public boolean needsNms() {
        return true;
    }

    @Override
    public int limit() {
        return Integer.MAX_VALUE;
    }
}

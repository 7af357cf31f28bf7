package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/** Decided boxes in one tensor of [N, 6]: box, score, class. */
final class End2End implements Head {
    private final DecodeSpec spec;
    private final Rows rows;
    private final int[] passing;
    private final BoxReader box;

    End2End(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        rows = tensors.rows(tensors.find(null, OutputRole.PREDICTIONS), 6, Activation.NONE);
        passing = new int[rows.count];
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        int near = rows.reaching(4, 1, scoreThreshold, passing);
        for (int i = 0; i < near; i++) {
            int row = passing[i];
            double classId = Math.rint(rows.get(row, 5));
            if (classId >= 0 && classId < spec.classCount()) {
                box.read(rows.get(row, 0), rows.get(row, 1), rows.get(row, 2), rows.get(row, 3));
                found.add(box.x1, box.y1, box.x2, box.y2, rows.get(row, 4), (int) classId);
            }
        }
    }

    @Override
    public boolean needsNms() {
        return false;
    }
}

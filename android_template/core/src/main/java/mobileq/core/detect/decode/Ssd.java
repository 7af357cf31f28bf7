package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.HeadKind;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;
import mobileq.core.tensor.Tensor;

/** Heads that end in an in-graph post-processing: boxes, classes, scores and their count. */
final class Ssd implements Head {
    private final DecodeSpec spec;
    private final Rows boxes;
    private final Tensor classes;
    private final Tensor scores;
    private final Tensor count;
    private final BoxReader box;

    Ssd(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        if (spec.head() == HeadKind.RAW) {
            throw new BundleException(
                    "An ssd head with in-graph post-processing has no raw outputs.");
        }
        boxes = tensors.rows(tensors.find(null, OutputRole.BOXES), 4, Activation.NONE);
        classes = tensors.tensor(tensors.find(null, OutputRole.CLASSES));
        scores = tensors.tensor(tensors.find(null, OutputRole.SCORES));
        boolean isCounted = tensors.has(OutputRole.COUNT);
        count = isCounted ? tensors.tensor(tensors.find(null, OutputRole.COUNT)) : null;
        box = new BoxReader(spec, tensors.width, tensors.height);
        int classCount = classes.spec().elementCount();
        int scoreCount = scores.spec().elementCount();
        if (boxes.count != classCount || boxes.count != scoreCount) {
            throw new BundleException(
                    "The ssd head gives "
                            + boxes.count
                            + " boxes, "
                            + classCount
                            + " classes and "
                            + scoreCount
                            + " scores.");
        }
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        double counted = boxes.count;
        if (count != null) {
            double real = count.real(0);
            counted = Double.isNaN(real) || Double.isInfinite(real) ? 0 : Math.rint(real);
        }
        for (int i = 0; i < boxes.count && i < counted; i++) {
            double classId = Math.rint(classes.real(i));
            boolean isKnown = classId >= 0 && classId < spec.classCount();
            if (isKnown && scores.real(i) >= scoreThreshold) {
                box.read(boxes.get(i, 0), boxes.get(i, 1), boxes.get(i, 2), boxes.get(i, 3));
                found.add(box.x1, box.y1, box.x2, box.y2, scores.real(i), (int) classId);
            }
        }
    }

    @Override
    public boolean needsNms() {
        return false;
    }
}

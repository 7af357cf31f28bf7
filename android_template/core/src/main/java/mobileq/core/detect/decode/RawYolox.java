package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/**
 * YOLOX's last convolutions: per stride a box [4, h, w], objectness [1, h, w] and classes [classes,
 * h, w]. {@code xy = (raw + cell) * stride}, {@code wh = exp(raw) * stride}.
 */
final class RawYolox implements Head {
    private final DecodeSpec spec;
    private final Rows[] boxes;
    private final Rows[] objectness;
    private final Rows[] classes;
    private final int[] columns;
    private final int[][] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    RawYolox(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        int levels = spec.strides().length;
        boxes = new Rows[levels];
        objectness = new Rows[levels];
        classes = new Rows[levels];
        columns = new int[levels];
        passing = new int[levels][];
        for (int level = 0; level < levels; level++) {
            int stride = spec.strides()[level];
            boxes[level] = tensors.rows(stride, OutputRole.BOX_REGRESSION, 4, Activation.NONE);
            objectness[level] =
                    tensors.rows(stride, OutputRole.OBJECTNESS_LOGITS, 1, Activation.SIGMOID);
            classes[level] =
                    tensors.rows(
                            stride,
                            OutputRole.CLASS_LOGITS,
                            spec.classCount(),
                            Activation.SIGMOID);
            columns[level] = tensors.columns(stride);
            passing[level] = new int[boxes[level].count];
        }
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        for (int level = 0; level < boxes.length; level++) {
            int near = objectness[level].reaching(0, 1, scoreThreshold, passing[level]);
            for (int i = 0; i < near; i++) {
                decodeCell(level, passing[level][i], scoreThreshold, everyClass, found);
            }
        }
    }

    private void decodeCell(
            int level, int cell, float threshold, boolean everyClass, Candidates found) {
        float present = objectness[level].get(cell, 0);
        if (!picker.reaches(classes[level], cell, 0, present, threshold)) {
            return;
        }
        Rows raw = boxes[level];
        float stride = spec.strides()[level];
        int column = cell % columns[level];
        int line = cell / columns[level];
        box.centred(
                (raw.get(cell, 0) + column) * stride,
                (raw.get(cell, 1) + line) * stride,
                exponential(raw.get(cell, 2)) * stride,
                exponential(raw.get(cell, 3)) * stride);
        picker.add(found, everyClass, threshold, box.x1, box.y1, box.x2, box.y2);
    }

    /** {@code exp(x)} in 64 bits, rounded once. */
    static float exponential(float value) {
        return (float) Math.exp(value);
    }
}

package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/**
 * YOLOv5's last convolutions: per stride [anchors * (5 + classes), h, w] before the sigmoid.
 * {@code xy = (2 s - 0.5 + cell) * stride}, {@code wh = (2 s)^2 * anchor}.
 */
final class RawYolov5 implements Head {
    private final DecodeSpec spec;
    private final Rows[] rows;
    private final int[] columns;
    private final int[][] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    RawYolov5(HeadTensors tensors) throws BundleException {
        spec = tensors.spec;
        int levels = spec.strides().length;
        if (levels == 0 || spec.anchors().length != levels) {
            throw new BundleException(
                    "The raw yolov5 head has "
                            + levels
                            + " strides but anchors for "
                            + spec.anchors().length
                            + ".");
        }
        rows = new Rows[levels];
        columns = new int[levels];
        passing = new int[levels][];
        for (int level = 0; level < levels; level++) {
            int stride = spec.strides()[level];
            int channels = spec.anchors()[level].length * (5 + spec.classCount());
            rows[level] =
                    tensors.rows(
                            tensors.find(stride, OutputRole.PREDICTIONS),
                            channels,
                            Activation.SIGMOID);
            tensors.checkCount(rows[level], tensors.cells(stride));
            columns[level] = tensors.columns(stride);
            passing[level] = new int[rows[level].count];
        }
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        for (int level = 0; level < rows.length; level++) {
            for (int anchor = 0; anchor < spec.anchors()[level].length; anchor++) {
                decode(level, anchor, scoreThreshold, everyClass, found);
            }
        }
    }

    private void decode(
            int level, int anchor, float threshold, boolean everyClass, Candidates found) {
        Rows cells = rows[level];
        int first = anchor * (5 + spec.classCount());
        float stride = spec.strides()[level];
        float anchorWidth = (float) spec.anchors()[level][anchor][0];
        float anchorHeight = (float) spec.anchors()[level][anchor][1];
        // A class's sigmoid is at most 1, so the objectness alone must reach the score.
        int near = cells.reaching(first + 4, 1, threshold, passing[level]);
        for (int i = 0; i < near; i++) {
            int cell = passing[level][i];
            float objectness = cells.get(cell, first + 4);
            if (!picker.reaches(cells, cell, first + 5, objectness, threshold)) {
                continue;
            }
            int column = cell % columns[level];
            int line = cell / columns[level];
            float x = cells.get(cell, first) * 2f - 0.5f + column;
            float y = cells.get(cell, first + 1) * 2f - 0.5f + line;
            float width = cells.get(cell, first + 2) * 2f;
            float height = cells.get(cell, first + 3) * 2f;
            box.centred(
                    x * stride,
                    y * stride,
                    width * width * anchorWidth,
                    height * height * anchorHeight);
            picker.add(found, everyClass, threshold, box.x1, box.y1, box.x2, box.y2);
        }
    }
}

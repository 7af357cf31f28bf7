package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/**
 * YOLOv5's last convolutions: per stride [anchors * (5 + classes), h, w] before the sigmoid, or
 * boxes, objectness and class logits in a tensor each.
 * {@code xy = (2 s - 0.5 + cell) * stride}, {@code wh = (2 s)^2 * anchor}.
 */
final class RawYolov5 implements Head {
    private final DecodeSpec spec;
    private final Part[] boxes;
    private final Part[] objectness;
    private final Part[] classes;
    private final int[] columns;
    private final int[][] passing;
    private final ClassPicker picker;
    private final BoxReader box;

    /** Some values of each anchor: a tensor has `ofAnchor` of them all, these begin at `first`. */
    private record Part(Rows rows, int ofAnchor, int first) {
        int channel(int anchor) {
            return anchor * ofAnchor + first;
        }
    }

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
        boxes = new Part[levels];
        objectness = new Part[levels];
        classes = new Part[levels];
        columns = new int[levels];
        passing = new int[levels][];
        boolean joint = tensors.hasOnly(OutputRole.PREDICTIONS);
        for (int level = 0; level < levels; level++) {
            if (joint) {
                Part all = part(tensors, level, OutputRole.PREDICTIONS, 5 + spec.classCount());
                boxes[level] = all;
                objectness[level] = new Part(all.rows, all.ofAnchor, 4);
                classes[level] = new Part(all.rows, all.ofAnchor, 5);
            } else {
                boxes[level] = part(tensors, level, OutputRole.BOX_REGRESSION, 4);
                objectness[level] = part(tensors, level, OutputRole.OBJECTNESS_LOGITS, 1);
                classes[level] = part(tensors, level, OutputRole.CLASS_LOGITS, spec.classCount());
            }
            columns[level] = tensors.columns(spec.strides()[level]);
            passing[level] = new int[objectness[level].rows.count];
        }
        picker = new ClassPicker(spec.classCount());
        box = new BoxReader(spec, tensors.width, tensors.height);
    }

    private static Part part(HeadTensors tensors, int level, OutputRole role, int ofAnchor)
            throws BundleException {
        int stride = tensors.spec.strides()[level];
        int channels = tensors.spec.anchors()[level].length * ofAnchor;
        return new Part(tensors.rows(stride, role, channels, Activation.SIGMOID), ofAnchor, 0);
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        for (int level = 0; level < boxes.length; level++) {
            for (int anchor = 0; anchor < spec.anchors()[level].length; anchor++) {
                decode(level, anchor, scoreThreshold, everyClass, found);
            }
        }
    }

    private void decode(
            int level, int anchor, float threshold, boolean everyClass, Candidates found) {
        Rows present = objectness[level].rows;
        Rows raw = boxes[level].rows;
        int presence = objectness[level].channel(anchor);
        int side = boxes[level].channel(anchor);
        int firstClass = classes[level].channel(anchor);
        float stride = spec.strides()[level];
        float anchorWidth = (float) spec.anchors()[level][anchor][0];
        float anchorHeight = (float) spec.anchors()[level][anchor][1];
        // A class's sigmoid is at most 1, so the objectness alone must reach the score.
        int near = present.reaching(presence, 1, threshold, passing[level]);
        for (int i = 0; i < near; i++) {
            int cell = passing[level][i];
            float score = present.get(cell, presence);
            if (!picker.reaches(classes[level].rows, cell, firstClass, score, threshold)) {
                continue;
            }
            int column = cell % columns[level];
            int line = cell / columns[level];
            float x = raw.get(cell, side) * 2f - 0.5f + column;
            float y = raw.get(cell, side + 1) * 2f - 0.5f + line;
            float width = raw.get(cell, side + 2) * 2f;
            float height = raw.get(cell, side + 3) * 2f;
            box.centred(
                    x * stride,
                    y * stride,
                    width * width * anchorWidth,
                    height * height * anchorHeight);
            picker.add(found, everyClass, threshold, box.x1, box.y1, box.x2, box.y2);
        }
    }
}

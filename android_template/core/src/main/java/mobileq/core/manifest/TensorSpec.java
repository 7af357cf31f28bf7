package mobileq.core.manifest;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * One input or output.
 *
 * @param name The ONNX model's, by which everything calls the tensor.
 * @param shape The file's, all positive.
 * @param dtype The file's: {@code float32}, {@code int8} ...
 * @param layout Null where it is no picture.
 * @param quant Null where values are real.
 * @param artifactName What the file calls it; null where it is the same.
 * @param permutation {@code file.shape[i] = model.shape[permutation[i]]}; null where the orders are
 *     the same.
 */
public record TensorSpec(
        String name,
        int[] shape,
        String dtype,
        Layout layout,
        QuantParams quant,
        String artifactName,
        int[] permutation) {
    /** Half a gigabyte of {@code float32}, more than a phone gives an app. */
    private static final int MOST_ELEMENTS = 1 << 27;

    static TensorSpec read(Fields fields) throws BundleException {
        TensorSpec spec =
                new TensorSpec(
                        fields.text("name"),
                        fields.integers("shape"),
                        fields.text("dtype"),
                        fields.constantOrNull("layout", Layout.class),
                        fields.objectOrNull("quant", QuantParams::read),
                        fields.textOrNull("artifact_name"),
                        fields.integersOrNull("permutation"));
        long elements = 1;
        for (int length : spec.shape) {
            elements *= length;
            if (length < 1 || elements > MOST_ELEMENTS) {
                throw fields.wrong("shape", "a length is not positive, or it is too large");
            }
        }
        if (spec.permutation != null && !isPermutation(spec.permutation, spec.shape.length)) {
            throw fields.wrong("permutation", "it does not name each of %d axes", spec.shape.length);
        }
        return spec;
    }

    private static boolean isPermutation(int[] order, int length) {
        boolean[] seen = new boolean[length];
        for (int axis : order) {
            if (axis < 0 || axis >= length || seen[axis]) {
                return false;
            }
            seen[axis] = true;
        }
        return order.length == length;
    }

    /** How many values the tensor holds. */
    public int elementCount() {
        int count = 1;
        for (int length : shape) {
            count *= length;
        }
        return count;
    }

    /** Lengths of the axes in the model's order. */
    public int[] modelShape() {
        int[] lengths = new int[shape.length];
        for (int axis = 0; axis < shape.length; axis++) {
            lengths[permutation == null ? axis : permutation[axis]] = shape[axis];
        }
        return lengths;
    }

    /** Per axis of the model's order, how far apart neighbours lie in the file's, in elements. */
    public int[] modelStrides() {
        int[] strides = new int[shape.length];
        int stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            strides[permutation == null ? axis : permutation[axis]] = stride;
            stride *= shape[axis];
        }
        return strides;
    }
}

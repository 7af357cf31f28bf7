package mobileq.core.manifest;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * {@code real = scale * (quantized - zeroPoint)}; one pair, or one per index along an axis.
 *
 * @param scale Rounded to 32 bits, as every implementation computes with it.
 * @param zeroPoint As many as scales.
 * @param axis Null where there is one pair.
 */
public record QuantParams(float[] scale, int[] zeroPoint, Integer axis) {
    static QuantParams read(Fields fields) throws BundleException {
        double[] scale = fields.numbers("scale");
        int[] zeroPoint = fields.integers("zero_point");
        Integer axis = fields.integerOrNull("axis");
        if (scale.length == 0 || scale.length != zeroPoint.length) {
            throw fields.wrong("scale", "%d scales, %d zero points", scale.length, zeroPoint.length);
        }
        float[] rounded = new float[scale.length];
        for (int i = 0; i < scale.length; i++) {
            rounded[i] = (float) scale[i];
            if (!(rounded[i] > 0)) {
                throw fields.wrong("scale", "a scale is not positive");
            }
        }
        return new QuantParams(rounded, zeroPoint, axis);
    }
}

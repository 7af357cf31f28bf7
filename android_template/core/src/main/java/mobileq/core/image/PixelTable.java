package mobileq.core.image;

import mobileq.core.BundleException;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.QuantParams;
import mobileq.core.tensor.ElementType;
import mobileq.core.tensor.Tensor;

/**
 * The input value of each pixel value, per channel: a table leaves nothing to the order or the
 * fusing of floating-point operations.
 */
final class PixelTable {
    /** At {@code channel * 256 + pixel}, in the model's order of channels; null for bytes. */
    final float[] floats;

    /** As `floats`, for tensors of bytes; null for real values. */
    final byte[] bytes;

    /**
     * @param spec Scale, mean and standard deviation.
     * @param input The tensor to be filled.
     * @param takesPixels Whether the model takes the pixels themselves, as integers.
     * @throws BundleException No picture can be written into such a tensor.
     */
    PixelTable(PreprocessSpec spec, Tensor input, boolean takesPixels) throws BundleException {
        boolean isPlain = input.type() == ElementType.UINT8 && takesPixels;
        boolean isScaled = input.isBytes() && input.spec().quant() != null;
        if (input.type() != ElementType.FLOAT32 && !isPlain && !isScaled) {
            throw new BundleException(
                    "The input '"
                            + input.spec().name()
                            + "' is of the type "
                            + input.type()
                            + " without a scale, which no picture can be written into.");
        }
        int channels = spec.channelOrder().channels();
        floats = input.isBytes() ? null : new float[channels * 256];
        bytes = input.isBytes() ? new byte[channels * 256] : null;
        for (int channel = 0; channel < channels; channel++) {
            for (int pixel = 0; pixel < 256; pixel++) {
                int at = channel * 256 + pixel;
                float real = takesPixels ? pixel : real(spec, channel, pixel);
                if (floats != null) {
                    floats[at] = real;
                } else if (isPlain) {
                    bytes[at] = (byte) pixel;
                } else {
                    bytes[at] = quantized(real, input.spec().quant(), input.type());
                }
            }
        }
    }

    /** {@code (pixel * factor - mean) / std}, left to right in 64 bits, rounded once. */
    private static float real(PreprocessSpec spec, int channel, int pixel) {
        double value = pixel * spec.rescaleFactor() - spec.imageMean()[channel];
        return (float) (value / spec.imageStd()[channel]);
    }

    /**
     * {@code round(real / scale) + zeroPoint}, saturated. The division is in 32 bits, halves round
     * away from zero, as in TensorFlow Lite's reference kernels; NaN becomes the zero point.
     */
    private static byte quantized(float real, QuantParams quant, ElementType type) {
        double ratio = real / quant.scale()[0];
        double rounded = Math.copySign(Math.floor(Math.abs(ratio) + 0.5), ratio);
        double value = rounded + quant.zeroPoint()[0];
        if (Double.isNaN(value)) {
            value = quant.zeroPoint()[0];
        }
        int lowest = type == ElementType.INT8 ? -128 : 0;
        return (byte) (int) Math.min(Math.max(value, lowest), lowest + 255);
    }
}

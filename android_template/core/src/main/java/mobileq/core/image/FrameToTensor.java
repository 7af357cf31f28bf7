package mobileq.core.image;

import java.util.Arrays;
import mobileq.core.BundleException;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.tensor.Tensor;

/**
 * Fills a model's input from camera frames: make gray if wanted, turn, resize, pad, put the
 * channels in order, look each pixel up, put the axes in order. The same to the last bit as the
 * Python implementation.
 *
 * <p>Of one thread. Allocates only when the size or rotation of the frames changes.
 */
public final class FrameToTensor {
    private final PreprocessSpec spec;
    private final Tensor input;
    private final PixelTable table;
    private final int channels;
    private final int rowStride;
    private final int columnStride;
    private final int channelStride;

    private Letterbox letterbox;
    private AxisTaps columns;
    private AxisTaps rows;
    private int[] firstOffsets;
    private int[] secondOffsets;
    private int[] upper;
    private int[] lower;
    private int upperRow;
    private int lowerRow;

    /**
     * @param spec What the model wants.
     * @param input The tensor to fill, kept.
     * @param takesPixels Whether the model's own input is of integers without a scale.
     * @throws BundleException The tensor is no picture of the size that `spec` names.
     */
    public FrameToTensor(PreprocessSpec spec, Tensor input, boolean takesPixels)
            throws BundleException {
        this.spec = spec;
        this.input = input;
        this.channels = spec.channelOrder().channels();
        int[] wanted =
                spec.layout() == Layout.NCHW
                        ? new int[] {1, channels, spec.height(), spec.width()}
                        : new int[] {1, spec.height(), spec.width(), channels};
        int[] shape = input.spec().modelShape();
        if (!Arrays.equals(shape, wanted)) {
            throw new BundleException(
                    "The input '"
                            + input.spec().name()
                            + "' has shape "
                            + Arrays.toString(shape)
                            + " where the preprocessing makes "
                            + Arrays.toString(wanted)
                            + ".");
        }
        this.table = new PixelTable(spec, input, takesPixels);
        int[] strides = input.spec().modelStrides();
        boolean isNchw = spec.layout() == Layout.NCHW;
        this.channelStride = strides[isNchw ? 1 : 3];
        this.rowStride = strides[isNchw ? 2 : 1];
        this.columnStride = strides[isNchw ? 3 : 2];
    }

    /**
     * Writes one frame into the input tensor.
     *
     * @param frame Its part that counts is taken, turned by its rotation.
     * @return Where it lies in the input; boxes it maps back are relative to the frame's part.
     */
    public Letterbox fill(Frame frame) {
        if (letterbox == null || !letterbox.isOf(frame)) {
            prepare(Letterbox.fit(frame.cropWidth, frame.cropHeight, spec, frame.rotation));
        }
        // A step right or down in the turned picture is a step of so many bytes in the frame.
        int right;
        int down;
        int origin = frame.cropTop * frame.rowStride + 4 * frame.cropLeft;
        int lastRow = (frame.cropHeight - 1) * frame.rowStride;
        int lastColumn = (frame.cropWidth - 1) * 4;
        switch (frame.rotation) {
            case 90:
                origin += lastRow;
                right = -frame.rowStride;
                down = 4;
                break;
            case 180:
                origin += lastRow + lastColumn;
                right = -4;
                down = -frame.rowStride;
                break;
            case 270:
                origin += lastColumn;
                right = frame.rowStride;
                down = -4;
                break;
            default:
                right = 4;
                down = frame.rowStride;
        }
        for (int x = 0; x < letterbox.resizedWidth(); x++) {
            firstOffsets[x] = columns.first[x] * right;
            secondOffsets[x] = columns.second[x] * right;
        }
        upperRow = -1;
        lowerRow = -1;
        for (int y = 0; y < letterbox.resizedHeight(); y++) {
            resampleAround(frame.pixels, origin, down, rows.first[y], rows.second[y]);
            writeRow(y, rows.weight[y]);
        }
        return letterbox;
    }

    private void prepare(Letterbox placed) {
        letterbox = placed;
        columns = new AxisTaps(placed.rotatedWidth(), placed.resizedWidth());
        rows = new AxisTaps(placed.rotatedHeight(), placed.resizedHeight());
        firstOffsets = new int[placed.resizedWidth()];
        secondOffsets = new int[placed.resizedWidth()];
        upper = new int[channels * placed.resizedWidth()];
        lower = new int[channels * placed.resizedWidth()];
        pad();
    }

    /** Everything becomes padding; what the picture covers is written for every frame. */
    private void pad() {
        for (int channel = 0; channel < channels; channel++) {
            int value = channel * 256 + spec.padValue();
            for (int y = 0; y < spec.height(); y++) {
                int at = channel * channelStride + y * rowStride;
                for (int x = 0; x < spec.width(); x++, at += columnStride) {
                    if (table.floats != null) {
                        input.floats()[at] = table.floats[value];
                    } else {
                        input.bytes()[at] = table.bytes[value];
                    }
                }
            }
        }
    }

    /** Makes `upper` and `lower` hold two rows of the turned picture, resampled in width. */
    private void resampleAround(byte[] pixels, int origin, int down, int first, int second) {
        if (first == lowerRow) {
            int[] swapped = upper;
            upper = lower;
            lower = swapped;
            lowerRow = upperRow;
            upperRow = first;
        }
        if (first != upperRow) {
            resample(pixels, origin + first * down, upper);
            upperRow = first;
        }
        if (second != first && second != lowerRow) {
            resample(pixels, origin + second * down, lower);
            lowerRow = second;
        }
    }

    /** One row, exact in 8 + 8 bits: a value per channel and target column. */
    private void resample(byte[] pixels, int start, int[] target) {
        if (channels == 1) {
            resampleGray(pixels, start, target);
            return;
        }
        int at = 0;
        for (int x = 0; x < firstOffsets.length; x++) {
            int first = start + firstOffsets[x];
            int second = start + secondOffsets[x];
            int after = columns.weight[x];
            int before = 256 - after;
            target[at++] = (pixels[first] & 0xFF) * before + (pixels[second] & 0xFF) * after;
            target[at++] =
                    (pixels[first + 1] & 0xFF) * before + (pixels[second + 1] & 0xFF) * after;
            target[at++] =
                    (pixels[first + 2] & 0xFF) * before + (pixels[second + 2] & 0xFF) * after;
        }
    }

    private void resampleGray(byte[] pixels, int start, int[] target) {
        for (int x = 0; x < firstOffsets.length; x++) {
            int after = columns.weight[x];
            target[x] =
                    gray(pixels, start + firstOffsets[x]) * (256 - after)
                            + gray(pixels, start + secondOffsets[x]) * after;
        }
    }

    /** Brightness of a pixel in 8 bits, rounded as OpenCV does it. */
    private static int gray(byte[] pixels, int at) {
        int red = pixels[at] & 0xFF;
        int green = pixels[at + 1] & 0xFF;
        int blue = pixels[at + 2] & 0xFF;
        return (9798 * red + 19235 * green + 3735 * blue + 0x4000) >> 15;
    }

    /** Between the two rows, exact in 8 + 16 bits, then rounded to a pixel and looked up. */
    private void writeRow(int y, int after) {
        int before = 256 - after;
        int[] second = after == 0 ? upper : lower;
        boolean isBgr = spec.channelOrder() == ChannelOrder.BGR;
        int start = (letterbox.top() + y) * rowStride + letterbox.left() * columnStride;
        for (int channel = 0; channel < channels; channel++) {
            int source = isBgr ? 2 - channel : channel;
            int entry = channel * 256;
            int at = start + channel * channelStride;
            if (table.floats != null) {
                float[] target = input.floats();
                for (int x = 0; x < firstOffsets.length; x++) {
                    int sum = upper[source] * before + second[source] * after;
                    target[at] = table.floats[entry + ((sum + 0x8000) >> 16)];
                    source += channels;
                    at += columnStride;
                }
            } else {
                byte[] target = input.bytes();
                for (int x = 0; x < firstOffsets.length; x++) {
                    int sum = upper[source] * before + second[source] * after;
                    target[at] = table.bytes[entry + ((sum + 0x8000) >> 16)];
                    source += channels;
                    at += columnStride;
                }
            }
        }
    }
}

package mobileq.core.image;

import java.util.Arrays;
import mobileq.core.BundleException;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.tensor.Tensor;

/**
 * Fills a model's input from camera frames: make gray if wanted, turn, resize, pad or crop, put the
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
    private final int rowShift;
    private final int columnShift;

    private Letterbox letterbox;
    private AxisTaps columns;
    private AxisTaps rows;
    private int shownWidth;
    private int shownHeight;

    /** Rows of the turned picture, resampled in width: row r at r modulo the length. */
    private int[][] resampled;

    private int[] sums;

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
        this.rowShift = AxisTaps.rowShift(spec);
        this.columnShift = AxisTaps.columnShift(spec);
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
        int next = 0;
        for (int y = 0; y < shownHeight; y++) {
            int end = rows.first[y] + rows.count;
            for (int row = Math.max(next, rows.first[y]); row < end; row++) {
                int start = origin + row * down;
                int[] target = resampled[row % rows.count];
                if (channels == 1) {
                    resampleGray(frame.pixels, start, right, target);
                } else {
                    resample(frame.pixels, start, right, target);
                }
            }
            next = end;
            addRows(y);
            writeRow(y);
        }
        return letterbox;
    }

    private void prepare(Letterbox placed) {
        letterbox = placed;
        int left = Math.max(-placed.left(), 0);
        int top = Math.max(-placed.top(), 0);
        shownWidth = Math.min(placed.resizedWidth() - left, spec.width());
        shownHeight = Math.min(placed.resizedHeight() - top, spec.height());
        columns =
                new AxisTaps(spec, placed.rotatedWidth(), placed.resizedWidth(), left, shownWidth);
        rows = new AxisTaps(spec, placed.rotatedHeight(), placed.resizedHeight(), top, shownHeight);
        resampled = new int[rows.count][channels * shownWidth];
        sums = new int[channels * shownWidth];
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

    /** One row: a value per channel and target column. */
    private void resample(byte[] pixels, int start, int right, int[] target) {
        if (columns.count == 2 && rowShift == 0) {
            resamplePairs(pixels, start, right, target);
            return;
        }
        int[] weights = columns.weights;
        int at = 0;
        int tap = 0;
        for (int x = 0; x < shownWidth; x++) {
            int pixel = start + columns.first[x] * right;
            int red = 0;
            int green = 0;
            int blue = 0;
            for (int k = 0; k < columns.count; k++) {
                int weight = weights[tap++];
                red += (pixels[pixel] & 0xFF) * weight;
                green += (pixels[pixel + 1] & 0xFF) * weight;
                blue += (pixels[pixel + 2] & 0xFF) * weight;
                pixel += right;
            }
            target[at++] = rowValue(red);
            target[at++] = rowValue(green);
            target[at++] = rowValue(blue);
        }
    }

    /** The same of two neighbours each, as most models have it: in half the time. */
    private void resamplePairs(byte[] pixels, int start, int right, int[] target) {
        int[] weights = columns.weights;
        int at = 0;
        for (int x = 0; x < shownWidth; x++) {
            int first = start + columns.first[x] * right;
            int second = first + right;
            int before = weights[2 * x];
            int after = weights[2 * x + 1];
            target[at] = (pixels[first] & 0xFF) * before + (pixels[second] & 0xFF) * after;
            target[at + 1] =
                    (pixels[first + 1] & 0xFF) * before + (pixels[second + 1] & 0xFF) * after;
            target[at + 2] =
                    (pixels[first + 2] & 0xFF) * before + (pixels[second + 2] & 0xFF) * after;
            at += 3;
        }
    }

    private void resampleGray(byte[] pixels, int start, int right, int[] target) {
        int tap = 0;
        for (int x = 0; x < shownWidth; x++) {
            int pixel = start + columns.first[x] * right;
            int sum = 0;
            for (int k = 0; k < columns.count; k++) {
                sum += gray(pixels, pixel) * columns.weights[tap++];
                pixel += right;
            }
            target[x] = rowValue(sum);
        }
    }

    private int rowValue(int sum) {
        return rowShift == 0 ? sum : rounded(sum + (1 << (rowShift - 1)), rowShift);
    }

    /** Limited to 8 bits: cubic weights overshoot where dark and bright meet. */
    private static int rounded(int sum, int shift) {
        int value = sum >> shift;
        return (value & ~0xFF) == 0 ? value : value < 0 ? 0 : 255;
    }

    /** Brightness of a pixel in 8 bits, rounded as OpenCV does it. */
    private static int gray(byte[] pixels, int at) {
        int red = pixels[at] & 0xFF;
        int green = pixels[at + 1] & 0xFF;
        int blue = pixels[at + 2] & 0xFF;
        return (9798 * red + 19235 * green + 3735 * blue + 0x4000) >> 15;
    }

    /** Makes `sums` the weighted sums of resampled rows, and half a pixel value. */
    private void addRows(int y) {
        int half = 1 << (columnShift - 1);
        for (int k = 0; k < rows.count; k++) {
            int[] row = resampled[(rows.first[y] + k) % rows.count];
            int weight = rows.weights[y * rows.count + k];
            if (k == 0) {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] = half + row[i] * weight;
                }
            } else if (weight != 0) {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] += row[i] * weight;
                }
            }
        }
    }

    /** Rounds `sums` to pixels, and looks these up. */
    private void writeRow(int y) {
        boolean isBgr = spec.channelOrder() == ChannelOrder.BGR;
        int top = Math.max(letterbox.top(), 0);
        int left = Math.max(letterbox.left(), 0);
        int start = (top + y) * rowStride + left * columnStride;
        for (int channel = 0; channel < channels; channel++) {
            int source = isBgr ? 2 - channel : channel;
            int entry = channel * 256;
            int at = start + channel * channelStride;
            if (table.floats != null) {
                float[] target = input.floats();
                for (; source < sums.length; source += channels, at += columnStride) {
                    target[at] = table.floats[entry + rounded(sums[source], columnShift)];
                }
            } else {
                byte[] target = input.bytes();
                for (; source < sums.length; source += channels, at += columnStride) {
                    target[at] = table.bytes[entry + rounded(sums[source], columnShift)];
                }
            }
        }
    }
}

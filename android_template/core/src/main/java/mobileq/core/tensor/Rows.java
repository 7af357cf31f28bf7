package mobileq.core.tensor;

import java.util.Arrays;
import mobileq.core.BundleException;
import mobileq.core.manifest.TensorSpec;

/**
 * An output as [rows, channels], one row per anchor, whatever the order of its axes in the file.
 */
public final class Rows {
    /** How many rows there are. */
    public final int count;

    private final Tensor tensor;
    private final Activation activation;
    private final float[] activatedOfByte;
    private final int innerCount;
    private final int innerStride;
    private final int outerStride;
    private final int channelStride;
    private final byte[] marks;

    /**
     * Without the batch axis that three or more axes start with: of two axes, `channelsFirst`
     * decides where both orders fit. Three axes come from a convolution: [channels, h, w], or [h,
     * w, channels] where only that fits, cells row by row.
     *
     * @param tensor Kept, and read again for every picture.
     * @param channels Values per row.
     * @param channelsFirst Which of two axes holds the channels where both could.
     * @param activation Applied to every value read.
     * @throws BundleException No axis has the length `channels`, or the batch is not 1.
     */
    public Rows(Tensor tensor, int channels, boolean channelsFirst, Activation activation)
            throws BundleException {
        this.tensor = tensor;
        this.activation = activation;
        TensorSpec spec = tensor.spec();
        int[] shape = spec.modelShape();
        int[] strides = spec.modelStrides();
        if (shape.length >= 3) { // some exports squeeze the batch away
            if (shape[0] != 1) {
                throw new BundleException(
                        "The output '" + spec.name() + "' holds a batch of " + shape[0] + ".");
            }
            shape = Arrays.copyOfRange(shape, 1, shape.length);
            strides = Arrays.copyOfRange(strides, 1, strides.length);
        }
        int axes = shape.length;
        boolean fits = axes == 2 || axes == 3;
        boolean last = fits && shape[axes - 1] == channels;
        boolean first = fits && shape[0] == channels && (channelsFirst || axes == 3 || !last);
        if (!first && !last) {
            throw new BundleException(
                    "The output '"
                            + spec.name()
                            + "' has shape "
                            + Arrays.toString(spec.modelShape())
                            + ", and no axis holds the "
                            + channels
                            + " values per anchor.");
        }
        this.channelStride = first ? strides[0] : strides[axes - 1];
        int outerAxis = first ? 1 : 0;
        int innerAxis = axes - (first ? 1 : 2);
        this.count = innerAxis == outerAxis ? shape[innerAxis] : shape[innerAxis] * shape[outerAxis];
        // Two row axes whose rows lie at one distance are as good as one.
        boolean even = strides[outerAxis] == strides[innerAxis] * shape[innerAxis];
        this.innerCount = innerAxis == outerAxis || even ? count : shape[innerAxis];
        this.innerStride = strides[innerAxis];
        this.outerStride = strides[outerAxis];
        this.activatedOfByte = tensor.isBytes() ? activated(tensor.realOfByte(), activation) : null;
        this.marks = channelStride == 1 ? null : new byte[count];
    }

    private static float[] activated(float[] real, Activation activation) {
        float[] table = new float[real.length];
        for (int stored = 0; stored < table.length; stored++) {
            table[stored] = activation.of(real[stored]);
        }
        return table;
    }

    /** One value, activated. */
    public float get(int row, int channel) {
        int offset = offset(row) + channel * channelStride;
        return tensor.isBytes()
                ? activatedOfByte[tensor.bytes()[offset] & 0xFF]
                : activation.of(tensor.floats()[offset]);
    }

    private int offset(int row) {
        if (innerCount == count) {
            return row * innerStride;
        }
        return row / innerCount * outerStride + row % innerCount * innerStride;
    }

    /**
     * The rows any of whose channels may reach a threshold once activated; all that do are among
     * them, and for bytes no others. Bytes are compared as integers.
     *
     * @param firstChannel The first to look at.
     * @param channels How many to look at.
     * @param threshold Of the activated value.
     * @param rows Where the row numbers go, ascending; at least {@link #count} long.
     * @return How many rows.
     */
    public int reaching(int firstChannel, int channels, float threshold, int[] rows) {
        if (tensor.isBytes()) {
            int flip = tensor.type() == ElementType.UINT8 ? 0x80 : 0;
            int lowest = lowestReaching(threshold, flip);
            return channelStride == 1
                    ? bytesByRow(firstChannel, channels, lowest, flip, rows)
                    : bytesByChannel(firstChannel, channels, lowest, flip, rows);
        }
        float floor = activation.floor(threshold);
        return channelStride == 1
                ? floatsByRow(firstChannel, channels, floor, rows)
                : floatsByChannel(firstChannel, channels, floor, rows);
    }

    /** The smallest stored byte, flipped to a signed one, that reaches; 128 where none does. */
    private int lowestReaching(float threshold, int flip) {
        int lowest = 128;
        while (lowest > -128 && activatedOfByte[((lowest - 1) ^ flip) & 0xFF] >= threshold) {
            lowest--;
        }
        return lowest;
    }

    private int bytesByRow(int first, int channels, int lowest, int flip, int[] rows) {
        byte[] values = tensor.bytes();
        int found = 0;
        for (int row = 0; row < count; row++) {
            int start = offset(row) + first;
            for (int at = start; at < start + channels; at++) {
                if ((byte) (values[at] ^ flip) >= lowest) {
                    rows[found++] = row;
                    break;
                }
            }
        }
        return found;
    }

    private int floatsByRow(int first, int channels, float floor, int[] rows) {
        float[] values = tensor.floats();
        int found = 0;
        for (int row = 0; row < count; row++) {
            int start = offset(row) + first;
            for (int at = start; at < start + channels; at++) {
                if (values[at] >= floor) {
                    rows[found++] = row;
                    break;
                }
            }
        }
        return found;
    }

    // Where a channel's rows lie side by side, channel after channel is many times faster.

    private int bytesByChannel(int first, int channels, int lowest, int flip, int[] rows) {
        byte[] values = tensor.bytes();
        Arrays.fill(marks, (byte) 0);
        for (int channel = first; channel < first + channels; channel++) {
            int start = channel * channelStride;
            for (int row = 0; row < count; row++) {
                if ((byte) (values[start + offset(row)] ^ flip) >= lowest) {
                    marks[row] = 1;
                }
            }
        }
        return marked(rows);
    }

    private int floatsByChannel(int first, int channels, float floor, int[] rows) {
        float[] values = tensor.floats();
        Arrays.fill(marks, (byte) 0);
        for (int channel = first; channel < first + channels; channel++) {
            int start = channel * channelStride;
            for (int row = 0; row < count; row++) {
                if (values[start + offset(row)] >= floor) {
                    marks[row] = 1;
                }
            }
        }
        return marked(rows);
    }

    private int marked(int[] rows) {
        int found = 0;
        for (int row = 0; row < count; row++) {
            if (marks[row] != 0) {
                rows[found++] = row;
            }
        }
        return found;
    }
}

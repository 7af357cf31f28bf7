package mobileq.runner;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import mobileq.core.tensor.Tensor;

/**
 * An array as it travels.
 *
 * @param dtype As NumPy writes it: {@code <f4}, {@code |u1}, {@code |i1}, {@code <i4}, {@code <i8}.
 * @param shape Lengths of its axes.
 * @param data Little-endian, the last axis fastest.
 */
record Values(String dtype, int[] shape, byte[] data) {
    /** More than any tensor has. */
    private static final int MOST_AXES = 16;

    /** Bytes of an element. Throws where there is no such type. */
    private static int width(String dtype) throws DamagedException {
        switch (dtype) {
            case "|u1":
            case "|i1":
                return 1;
            case "<f4":
            case "<i4":
                return 4;
            case "<i8":
                return 8;
            default:
                throw new DamagedException("an array of '" + dtype + "' is not known here");
        }
    }

    /**
     * How many bytes an array has.
     *
     * @throws DamagedException There can be no such array.
     */
    static int byteLength(String dtype, int[] shape) throws DamagedException {
        if (shape.length > MOST_AXES) {
            throw new DamagedException("an array of " + shape.length + " axes");
        }
        long length = width(dtype);
        for (int axis : shape) {
            length *= axis;
            if (axis < 0 || length > Packets.MOST_BYTES) {
                throw new DamagedException("an array has an axis of length " + axis);
            }
        }
        return (int) length;
    }

    static Values of(float[] numbers, int count, int... shape) {
        ByteBuffer data = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        data.asFloatBuffer().put(numbers, 0, count);
        return new Values("<f4", shape, data.array());
    }

    static Values of(int[] numbers) {
        ByteBuffer data = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        data.asIntBuffer().put(numbers);
        return new Values("<i4", new int[] {numbers.length}, data.array());
    }

    static Values of(long[] numbers) {
        ByteBuffer data = ByteBuffer.allocate(8 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        data.asLongBuffer().put(numbers);
        return new Values("<i8", new int[] {numbers.length}, data.array());
    }

    /** A tensor as it is kept: bytes as they are stored, all others as real values. */
    static Values of(Tensor tensor) {
        int[] shape = tensor.spec().shape();
        if (tensor.isBytes()) {
            return new Values(byteType(tensor), shape, tensor.bytes());
        }
        return of(tensor.floats(), tensor.floats().length, shape);
    }

    private static String byteType(Tensor tensor) {
        return tensor.spec().dtype().equals("uint8") ? "|u1" : "|i1";
    }

    /**
     * Fills a tensor.
     *
     * @throws DamagedException The array is not of the tensor's type and size.
     */
    void writeTo(Tensor tensor) throws DamagedException {
        String wanted = tensor.isBytes() ? byteType(tensor) : "<f4";
        int count = data.length / width(dtype);
        if (!dtype.equals(wanted) || count != tensor.spec().elementCount()) {
            throw new DamagedException(
                    "'"
                            + tensor.spec().name()
                            + "' takes "
                            + tensor.spec().elementCount()
                            + " values of "
                            + wanted
                            + ", not "
                            + count
                            + " of "
                            + dtype);
        }
        if (tensor.isBytes()) {
            System.arraycopy(data, 0, tensor.bytes(), 0, count);
        } else {
            ByteBuffer source = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
            source.asFloatBuffer().get(tensor.floats());
        }
    }
}

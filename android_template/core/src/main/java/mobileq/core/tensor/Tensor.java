package mobileq.core.tensor;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import mobileq.core.BundleException;
import mobileq.core.manifest.QuantParams;
import mobileq.core.manifest.TensorSpec;

/**
 * The values of one input or output, in the file's order of axes, allocated once.
 *
 * <p>Bytes stay bytes, so that a decoder can compare them before it makes real values of the few
 * that matter; all other types are kept as real values.
 */
public final class Tensor {
    private final TensorSpec spec;
    private final ElementType type;
    private final float[] floats;
    private final byte[] bytes;
    private final float[] realOfByte;
    private ByteBuffer viewed;
    private FloatBuffer view;

    /**
     * @param spec What the tensor is.
     * @throws BundleException Its type is not supported, or it is quantized along an axis, which
     *     no runtime does at a model's edge.
     */
    public Tensor(TensorSpec spec) throws BundleException {
        this.spec = spec;
        this.type = ElementType.of(spec.dtype(), spec.name());
        QuantParams quant = spec.quant();
        if (quant != null && quant.axis() != null) {
            throw new BundleException(
                    "The tensor '"
                            + spec.name()
                            + "' has a scale per channel, which is not supported at a model's"
                            + " edge.");
        }
        boolean isByte = type.byteSize == 1;
        this.bytes = isByte ? new byte[spec.elementCount()] : null;
        this.floats = isByte ? null : new float[spec.elementCount()];
        this.realOfByte = isByte ? realValues(type, quant) : null;
    }

    /** {@code scale * (q - zeroPoint)} of every stored byte, at its unsigned value. */
    private static float[] realValues(ElementType type, QuantParams quant) {
        float[] table = new float[256];
        for (int stored = 0; stored < 256; stored++) {
            int value = type == ElementType.INT8 ? (byte) stored : stored;
            table[stored] = dequantized(value, quant);
        }
        return table;
    }

    private static float dequantized(long value, QuantParams quant) {
        return quant == null ? value : quant.scale()[0] * (float) (value - quant.zeroPoint()[0]);
    }

    /** What the tensor is. */
    public TensorSpec spec() {
        return spec;
    }

    /** Its element type in the file. */
    public ElementType type() {
        return type;
    }

    /** Whether it is kept as bytes. */
    public boolean isBytes() {
        return bytes != null;
    }

    /** The bytes as stored; only where {@link #isBytes()}. */
    public byte[] bytes() {
        return bytes;
    }

    /** The real values; only where not {@link #isBytes()}. */
    public float[] floats() {
        return floats;
    }

    /** The real value of each stored byte, at its unsigned value; only where {@link #isBytes()}. */
    public float[] realOfByte() {
        return realOfByte;
    }

    /** The real value at an offset into the file's order. */
    public float real(int offset) {
        return bytes != null ? realOfByte[bytes[offset] & 0xFF] : floats[offset];
    }

    /** How many bytes it has in a model file's own memory. */
    public int byteSize() {
        return spec.elementCount() * type.byteSize;
    }

    /**
     * Rewinds a buffer. Called on a {@link ByteBuffer} itself, javac names the method of Java 9,
     * which Android 7 to 13 do not have.
     *
     * @param buffer Any.
     */
    public static void toStart(Buffer buffer) {
        buffer.rewind();
    }

    /**
     * Takes the values that a runtime wrote.
     *
     * @param source {@link #byteSize()} bytes in native order, from its start.
     */
    public void readFrom(ByteBuffer source) {
        toStart(source);
        if (bytes != null) {
            source.get(bytes);
        } else if (type == ElementType.FLOAT32) {
            floatsOf(source).get(floats);
        } else {
            for (int i = 0; i < floats.length; i++) {
                floats[i] = dequantized(integerAt(source, i), spec.quant());
            }
        }
    }

    private long integerAt(ByteBuffer source, int index) {
        switch (type) {
            case INT16:
                return source.getShort(2 * index);
            case INT32:
                return source.getInt(4 * index);
            default:
                return source.getLong(8 * index);
        }
    }

    /**
     * Gives the values to a runtime.
     *
     * @param target {@link #byteSize()} bytes in native order, written from its start.
     * @throws IllegalStateException It is neither of bytes nor of float32.
     */
    public void writeTo(ByteBuffer target) {
        toStart(target);
        if (bytes != null) {
            target.put(bytes);
        } else if (type == ElementType.FLOAT32) {
            floatsOf(target).put(floats);
        } else {
            throw new IllegalStateException(spec.name() + " is an input of " + type);
        }
        toStart(target);
    }

    /** A runtime brings the same buffer for every picture; a view of it is made only once. */
    @SuppressWarnings("ReferenceEquality") // equal buffers are two buffers
    private FloatBuffer floatsOf(ByteBuffer buffer) {
        if (viewed != buffer) {
            viewed = buffer;
            view = buffer.asFloatBuffer();
        }
        toStart(view);
        return view;
    }
}

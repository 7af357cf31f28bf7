package mobileq.core.tensor;

import mobileq.core.BundleException;

/** The types of tensor elements that the app reads and writes. */
public enum ElementType {
    /** IEEE 754, 32 bits. */
    FLOAT32(4),
    /** Signed byte. */
    INT8(1),
    /** Unsigned byte. */
    UINT8(1),
    /** Signed, 16 bits. */
    INT16(2),
    /** Signed, 32 bits. */
    INT32(4),
    /** Signed, 64 bits. */
    INT64(8);

    /** Bytes of one element. */
    public final int byteSize;

    ElementType(int byteSize) {
        this.byteSize = byteSize;
    }

    /**
     * The type of a name.
     *
     * @param dtype As the manifest writes it: {@code float32}, {@code uint8} ...
     * @param tensor Named in the error.
     * @return The type.
     * @throws BundleException The app has no use for such a type.
     */
    public static ElementType of(String dtype, String tensor) throws BundleException {
        for (ElementType type : values()) {
            if (type.toString().equals(dtype)) {
                return type;
            }
        }
        throw new BundleException(
                "The tensor '" + tensor + "' is of the type " + dtype + ", which is not supported.");
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        switch (this) {
            case FLOAT32:
                return "float32";
            case INT8:
                return "int8";
            case UINT8:
                return "uint8";
            case INT16:
                return "int16";
            case INT32:
                return "int32";
            default:
                return "int64";
        }
    }
}

package com.taobao.android.mnn;

/**
 * What the app calls of MNN's {@code libmnncore.so}. Package, class and method names are those that
 * the library exports its functions under; they can't be others.
 *
 * <p>Nets, sessions and tensors are addresses, 0 where something failed.
 */
public final class MNNNetNative {
    private MNNNetNative() {}

    /** Loads a model. */
    public static native long nativeCreateNetFromBuffer(byte[] model);

    /** Frees a model. */
    public static native long nativeReleaseNet(long net);

    /** Prepares a model for one kind of device. */
    public static native long nativeCreateSession(
            long net, int forwardType, int threads, String[] saveTensors, String[] outputTensors);

    /** Frees what was prepared. */
    public static native void nativeReleaseSession(long net, long session);

    /** One inference; 0 where it went well. */
    public static native int nativeRunSession(long net, long session);

    /** The tensor of an input. */
    public static native long nativeGetSessionInput(long net, long session, String name);

    /** The tensor of an output. */
    public static native long nativeGetSessionOutput(long net, long session, String name);

    /** Lengths of a tensor's axes. */
    public static native int[] nativeTensorGetDimensions(long tensor);

    /** Copies a tensor's values, from whatever device they are on; 0 where that failed. */
    public static native int nativeTensorGetData(long tensor, float[] values);

    /**
     * Resamples a picture into an input tensor, {@code (pixel - mean) * normal}, on whatever device
     * it is.
     */
    public static native boolean nativeConvertBufferToTensor(
            byte[] pixels,
            int width,
            int height,
            long tensor,
            int sourceFormat,
            int tensorFormat,
            int filter,
            int wrap,
            float[] matrix,
            float[] mean,
            float[] normal);
}

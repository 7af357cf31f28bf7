package org.tensorflow.lite.gpu;

import org.tensorflow.lite.Delegate;

/** A GPU that cannot be started, as there is none here; or one whose outputs are the CPU's, scaled. */
public class GpuDelegate implements Delegate {
    /** What was last asked for, for tests to look at. */
    public static GpuDelegateFactory.Options asked;

    /** What outputs are multiplied with, for tests to set; null: it cannot be started. */
    public static Float factor;

    public GpuDelegate(GpuDelegateFactory.Options options) {
        asked = options;
        if (factor == null) {
            throw new UnsatisfiedLinkError("no GPU on a desktop");
        }
    }

    @Override
    public void close() {}

    @Override
    public long getNativeHandle() {
        return 0;
    }

    public static class Options extends GpuDelegateFactory.Options {}
}

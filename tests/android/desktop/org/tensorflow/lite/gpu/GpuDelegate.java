package org.tensorflow.lite.gpu;

import org.tensorflow.lite.Delegate;

/** A GPU that cannot be started: there is none here. */
public class GpuDelegate implements Delegate {
    /** What was last asked for, for tests to look at. */
    public static GpuDelegateFactory.Options asked;

    public GpuDelegate(GpuDelegateFactory.Options options) {
        asked = options;
        throw new UnsatisfiedLinkError("no GPU on a desktop");
    }

    @Override
    public long getNativeHandle() {
        return 0;
    }

    public static class Options extends GpuDelegateFactory.Options {}
}

package org.tensorflow.lite.gpu;

import org.tensorflow.lite.Delegate;

/** A GPU that cannot be started: there is none here. */
public class GpuDelegate implements Delegate {
    public GpuDelegate(GpuDelegateFactory.Options options) {
        throw new UnsatisfiedLinkError("no GPU on a desktop");
    }

    @Override
    public long getNativeHandle() {
        return 0;
    }

    public static class Options extends GpuDelegateFactory.Options {}
}

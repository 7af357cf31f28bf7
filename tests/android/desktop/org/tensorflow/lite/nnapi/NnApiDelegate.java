package org.tensorflow.lite.nnapi;

import org.tensorflow.lite.Delegate;

public class NnApiDelegate implements Delegate {
    public NnApiDelegate() {
        throw new IllegalStateException("no NNAPI on a desktop");
    }

    @Override
    public long getNativeHandle() {
        return 0;
    }
}

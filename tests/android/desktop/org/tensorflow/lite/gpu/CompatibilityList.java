package org.tensorflow.lite.gpu;

import java.io.Closeable;

public class CompatibilityList implements Closeable {
    /** Whether this device is on it, for tests to change. */
    public static boolean isSupported = true;

    public boolean isDelegateSupportedOnThisDevice() {
        return isSupported;
    }

    @Override
    public void close() {}
}

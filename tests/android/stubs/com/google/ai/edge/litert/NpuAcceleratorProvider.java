package com.google.ai.edge.litert;

/** Without {@code downloadLibrary}, which is of Kotlin's coroutines. */
public interface NpuAcceleratorProvider {
    boolean isDeviceSupported();

    boolean isLibraryReady();

    String getLibraryDir();
}

package com.google.ai.edge.litert;

import android.content.Context;

public final class BuiltinNpuAcceleratorProvider implements NpuAcceleratorProvider {
    private final Context context;

    public BuiltinNpuAcceleratorProvider(Context context) {
        this.context = context;
    }

    @Override
    public boolean isDeviceSupported() {
        return false;
    }

    @Override
    public boolean isLibraryReady() {
        return true;
    }

    @Override
    public String getLibraryDir() {
        return context.getApplicationInfo().nativeLibraryDir;
    }
}

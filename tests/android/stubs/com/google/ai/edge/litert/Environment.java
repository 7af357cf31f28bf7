package com.google.ai.edge.litert;

import android.content.Context;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

public final class Environment extends JniHandle {
    public enum Option {
        CompilerPluginLibraryDir,
        DispatchLibraryDir
    }

    private Environment() {}

    public static Environment create(
            Context context,
            NpuAcceleratorProvider npuAcceleratorProvider,
            Map<Option, String> options,
            boolean enableCompilerCache)
            throws LiteRtException {
        return new Environment();
    }

    public Set<Accelerator> getAvailableAccelerators() throws LiteRtException {
        return Collections.singleton(Accelerator.CPU);
    }

    @Override
    protected void destroy() {}
}

package com.google.ai.edge.litert;

public abstract class JniHandle implements AutoCloseable {
    /** Those that are open: tests look for ones that were forgotten. */
    public static int open;

    private boolean isClosed;

    JniHandle() {
        open++;
    }

    protected abstract void destroy();

    @Override
    public final void close() {
        if (!isClosed) {
            isClosed = true;
            open--;
            destroy();
        }
    }
}

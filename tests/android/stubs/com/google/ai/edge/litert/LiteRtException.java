package com.google.ai.edge.litert;

public final class LiteRtException extends Exception {
    private static final long serialVersionUID = 1L;

    public LiteRtException(int code, String message) {
        super(message);
    }
}

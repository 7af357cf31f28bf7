package androidx.camera.core;

import android.util.Rational;

public final class ViewPort {
    private final Rational aspectRatio;

    /** Made by a builder in earnest, and by the preview's view. */
    public ViewPort(Rational aspectRatio) {
        this.aspectRatio = aspectRatio;
    }

    public Rational getAspectRatio() {
        return aspectRatio;
    }
}

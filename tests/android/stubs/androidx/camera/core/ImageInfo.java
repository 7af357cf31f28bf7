package androidx.camera.core;

import android.graphics.Matrix;

public interface ImageInfo {
    int getRotationDegrees();

    long getTimestamp();

    default Matrix getSensorToBufferTransformMatrix() {
        return new Matrix();
    }
}

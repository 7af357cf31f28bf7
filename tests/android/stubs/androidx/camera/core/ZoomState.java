package androidx.camera.core;

public interface ZoomState {
    float getZoomRatio();

    float getMaxZoomRatio();

    float getMinZoomRatio();
}

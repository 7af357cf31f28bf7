package androidx.camera.core;

import androidx.camera.core.resolutionselector.ResolutionSelector;

public final class Preview extends UseCase {
    private int targetRotation;

    private Preview(int targetRotation) {
        this.targetRotation = targetRotation;
    }

    public void setSurfaceProvider(SurfaceProvider provider) {}

    public void setTargetRotation(int rotation) {
        targetRotation = rotation;
    }

    public int getTargetRotation() {
        return targetRotation;
    }

    public interface SurfaceProvider {
        void onSurfaceRequested(SurfaceRequest request);
    }

    public static final class Builder {
        private int targetRotation;

        public Builder setResolutionSelector(ResolutionSelector selector) {
            return this;
        }

        public Builder setTargetRotation(int rotation) {
            targetRotation = rotation;
            return this;
        }

        public Preview build() {
            return new Preview(targetRotation);
        }
    }
}

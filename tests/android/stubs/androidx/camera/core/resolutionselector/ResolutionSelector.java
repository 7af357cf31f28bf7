package androidx.camera.core.resolutionselector;

public final class ResolutionSelector {
    private final ResolutionStrategy strategy;

    private ResolutionSelector(ResolutionStrategy strategy) {
        this.strategy = strategy;
    }

    public ResolutionStrategy getResolutionStrategy() {
        return strategy;
    }

    public static final class Builder {
        private ResolutionStrategy strategy;

        public Builder setAspectRatioStrategy(AspectRatioStrategy strategy) {
            return this;
        }

        public Builder setResolutionStrategy(ResolutionStrategy newStrategy) {
            strategy = newStrategy;
            return this;
        }

        public ResolutionSelector build() {
            return new ResolutionSelector(strategy);
        }
    }
}

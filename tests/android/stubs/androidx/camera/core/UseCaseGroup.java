package androidx.camera.core;

import java.util.ArrayList;
import java.util.List;

public final class UseCaseGroup {
    private final List<UseCase> useCases;
    private final ViewPort viewPort;

    private UseCaseGroup(List<UseCase> useCases, ViewPort viewPort) {
        this.useCases = useCases;
        this.viewPort = viewPort;
    }

    public List<UseCase> getUseCases() {
        return useCases;
    }

    public ViewPort getViewPort() {
        return viewPort;
    }

    public static final class Builder {
        private final List<UseCase> useCases = new ArrayList<>();
        private ViewPort viewPort;

        public Builder addUseCase(UseCase useCase) {
            useCases.add(useCase);
            return this;
        }

        public Builder setViewPort(ViewPort port) {
            viewPort = port;
            return this;
        }

        public UseCaseGroup build() {
            return new UseCaseGroup(useCases, viewPort);
        }
    }
}

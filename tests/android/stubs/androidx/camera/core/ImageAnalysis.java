package androidx.camera.core;

import androidx.camera.core.resolutionselector.ResolutionSelector;
import java.util.concurrent.Executor;

public final class ImageAnalysis extends UseCase {
    public static final int OUTPUT_IMAGE_FORMAT_YUV_420_888 = 1;
    public static final int OUTPUT_IMAGE_FORMAT_RGBA_8888 = 2;
    public static final int STRATEGY_KEEP_ONLY_LATEST = 0;
    public static final int STRATEGY_BLOCK_PRODUCER = 1;

    private final int format;
    private int targetRotation;
    private Executor executor;
    private Analyzer analyzer;

    private final ResolutionSelector selector;

    private final int strategy;

    private ImageAnalysis(
            int format, int targetRotation, ResolutionSelector selector, int strategy) {
        this.strategy = strategy;
        this.format = format;
        this.selector = selector;
        this.targetRotation = targetRotation;
    }

    public void setAnalyzer(Executor newExecutor, Analyzer newAnalyzer) {
        executor = newExecutor;
        analyzer = newAnalyzer;
    }

    public void setTargetRotation(int rotation) {
        targetRotation = rotation;
    }

    public int getTargetRotation() {
        return targetRotation;
    }

    public ResolutionSelector getResolutionSelector() {
        return selector;
    }

    public int getOutputImageFormat() {
        return format;
    }

    public int getBackpressureStrategy() {
        return strategy;
    }

    /** What the camera does in earnest. */
    public void deliver(ImageProxy image) {
        executor.execute(() -> analyzer.analyze(image));
    }

    public interface Analyzer {
        void analyze(ImageProxy image);
    }

    public static final class Builder {
        private int format = OUTPUT_IMAGE_FORMAT_YUV_420_888;
        private int targetRotation;
        private ResolutionSelector selector;
        private int strategy;

        public Builder setResolutionSelector(ResolutionSelector newSelector) {
            selector = newSelector;
            return this;
        }

        public Builder setTargetRotation(int rotation) {
            targetRotation = rotation;
            return this;
        }

        public Builder setOutputImageFormat(int newFormat) {
            format = newFormat;
            return this;
        }

        public Builder setBackpressureStrategy(int newStrategy) {
            strategy = newStrategy;
            return this;
        }

        public ImageAnalysis build() {
            return new ImageAnalysis(format, targetRotation, selector, strategy);
        }
    }
}

package androidx.camera.core.resolutionselector;

public final class AspectRatioStrategy {
    public static final int FALLBACK_RULE_NONE = 0;
    public static final int FALLBACK_RULE_AUTO = 1;

    public AspectRatioStrategy(int preferredAspectRatio, int fallbackRule) {}
}

package androidx.camera.core.resolutionselector;

import android.util.Size;

public final class ResolutionStrategy {
    public static final int FALLBACK_RULE_NONE = 0;
    public static final int FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER = 1;
    public static final int FALLBACK_RULE_CLOSEST_HIGHER = 2;

    private final Size boundSize;

    public ResolutionStrategy(Size boundSize, int fallbackRule) {
        this.boundSize = boundSize;
    }

    public Size getBoundSize() {
        return boundSize;
    }
}

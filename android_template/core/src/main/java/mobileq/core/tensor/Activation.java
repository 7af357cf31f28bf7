package mobileq.core.tensor;

/** What is applied to a stored value before it means something. */
public enum Activation {
    /** Nothing. */
    NONE,
    /** {@code 1 / (1 + exp(-x))}. */
    SIGMOID;

    /** Computed in 64 bits and rounded once, so that every implementation gives the same. */
    public float of(float value) {
        return this == NONE ? value : (float) (1.0 / (1.0 + Math.exp(-(double) value)));
    }

    /**
     * A value below which nothing reaches `threshold` once activated, for sorting out early. Of the
     * sigmoid it lies one below the exact value: rounding must not decide differently here than in
     * the comparison that follows.
     */
    float floor(float threshold) {
        if (this == NONE) {
            return threshold;
        }
        if (threshold <= 0) {
            return Float.NEGATIVE_INFINITY;
        }
        double highest = 16; // beyond about 17, the sigmoid is 1 in 32 bits
        if (threshold >= 1) {
            return (float) (highest - 1);
        }
        double logit = Math.log(threshold / (1.0 - threshold));
        return (float) (Math.min(logit, highest) - 1);
    }
}

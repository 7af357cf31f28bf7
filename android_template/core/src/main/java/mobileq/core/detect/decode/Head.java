package mobileq.core.detect.decode;

/** Reads one model's output tensors, which it was given when it was made. */
public interface Head {
    /**
     * Adds everything that reaches a score, decoded.
     *
     * @param scoreThreshold Compared in 32 bits.
     * @param everyClass Whether a box stands for each class that reaches it, or for its best one
     *     only (the first of equals).
     * @param found Where it goes.
     */
    void decode(float scoreThreshold, boolean everyClass, Candidates found);

    /** Whether one object may be found more than once, so that duplicates must be suppressed. */
    default boolean needsNms() {
        return true;
    }

    /** Of heads that need no suppression: only so many candidates, the best, are looked at. */
    default int limit() {
        return Integer.MAX_VALUE;
    }
}

package mobileq.core.check;

/**
 * How one answer to a picture differs from another.
 *
 * @param missing Clear answers that it lacks: objects, or the best class.
 * @param added Clear answers that it alone has.
 * @param score The most by which the score of an answer of both is off, 0 to 1.
 */
public record Difference(int missing, int added, float score) {
    /** Half precision moves scores by a hundredth, integers by a few: a GPU that is wrong, by more. */
    private static final float TOLERANCE = 0.1f;

    /** Nothing that a person would see. */
    public boolean isNone() {
        return missing == 0 && added == 0 && score <= TOLERANCE;
    }
}

package mobileq.core.image;

/**
 * Which two source pixels make each target pixel along one axis, and how much the second counts.
 *
 * <p>OpenCV's INTER_LINEAR_EXACT: target index i lies at {@code (i + 0.5) * source / target - 0.5};
 * the weight of the second pixel is the fraction of that, rounded half to even to a multiple of
 * 1/256. Outside the outermost pixel centres that pixel alone counts.
 */
final class AxisTaps {
    /** Index of the first pixel, per target pixel. */
    final int[] first;

    /** Index of the second pixel, per target pixel. */
    final int[] second;

    /** Weight of the second pixel, 0 to 256, per target pixel. */
    final int[] weight;

    AxisTaps(int source, int target) {
        first = new int[target];
        second = new int[target];
        weight = new int[target];
        for (int i = 0; i < target; i++) {
            // In units of 1 / (2 * target), so that everything is whole.
            long unit = 2L * target;
            long position = (2L * i + 1) * source - target;
            long below = Math.floorDiv(position, unit);
            if (below < 0 || below >= source - 1) {
                first[i] = below < 0 ? 0 : source - 1;
                second[i] = first[i];
            } else {
                first[i] = (int) below;
                second[i] = first[i] + 1;
                weight[i] = halfToEven((position - below * unit) * 256, unit);
            }
        }
    }

    private static int halfToEven(long numerator, long denominator) {
        long quotient = numerator / denominator;
        long twice = 2 * (numerator % denominator);
        boolean up = twice > denominator || (twice == denominator && quotient % 2 == 1);
        return (int) (up ? quotient + 1 : quotient);
    }
}

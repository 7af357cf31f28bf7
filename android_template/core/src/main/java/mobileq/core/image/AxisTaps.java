package mobileq.core.image;

import mobileq.core.manifest.Interpolation;
import mobileq.core.manifest.PreprocessSpec;

/**
 * Which source pixels make each target pixel along one axis, and how much each counts: `count`
 * neighbours from `first` on, all within the source. The same whole numbers as in Python.
 *
 * <ul>
 *   <li>Bilinear: OpenCV's INTER_LINEAR_EXACT. Target index i lies at {@code (i + 0.5) * source /
 *       target - 0.5}; the weight of the second pixel is the fraction of that, rounded half to even
 *       to a multiple of 1/256. The outermost pixels stand for those beyond.
 *   <li>Bicubic: Keys' cubic convolution with a = -0.75 and weights in multiples of 1/2048, as
 *       OpenCV's INTER_CUBIC.
 *   <li>Antialiased: Pillow's, a = -0.5. Where a picture shrinks, the filter is as much wider. The
 *       weights of the pixels within it, in double precision, are made to sum up to 1 and then
 *       rounded half away from zero to multiples of 2^-22.
 * </ul>
 */
final class AxisTaps {
    private static final int BILINEAR_BITS = 8;
    private static final int BICUBIC_BITS = 11;
    private static final int ANTIALIAS_BITS = 22;

    /** Neighbours of each target pixel. */
    final int count;

    /** Index of the first of them, per target pixel; never falling. */
    final int[] first;

    /** At {@code target * count + neighbour}. */
    final int[] weights;

    /** Weights of neighbours from `start` on, which may lie beyond the source. */
    private record Window(int start, int[] weights) {}

    /**
     * @param spec How to resize.
     * @param source Length of the source, pixels.
     * @param target Length of the whole resized picture, pixels.
     * @param from First of its pixels that is wanted.
     * @param length How many are wanted from there on.
     */
    AxisTaps(PreprocessSpec spec, int source, int target, int from, int length) {
        boolean isBilinear = spec.interpolation() == Interpolation.BILINEAR;
        Window[] windows = new Window[length];
        int longest = 0;
        for (int i = 0; i < length; i++) {
            windows[i] =
                    spec.antialias()
                            ? antialiased(from + i, source, target, isBilinear)
                            : nearest(from + i, source, target, isBilinear);
            longest = Math.max(longest, windows[i].weights.length);
        }
        count = Math.min(longest, source);
        first = new int[length];
        weights = new int[length * count];
        for (int i = 0; i < length; i++) {
            Window window = windows[i];
            first[i] = within(window.start, source - count);
            for (int k = 0; k < window.weights.length; k++) {
                int pixel = within(window.start + k, source - 1);
                weights[i * count + pixel - first[i]] += window.weights[k];
            }
        }
    }

    /** By how many bits sums of a row are shifted right; 0 where they stay as they are. */
    static int rowShift(PreprocessSpec spec) {
        return spec.antialias() ? ANTIALIAS_BITS : 0;
    }

    /** By how many bits sums of columns are shifted right to become pixels. */
    static int columnShift(PreprocessSpec spec) {
        if (spec.antialias()) {
            return ANTIALIAS_BITS;
        }
        boolean isBilinear = spec.interpolation() == Interpolation.BILINEAR;
        return 2 * (isBilinear ? BILINEAR_BITS : BICUBIC_BITS);
    }

    private static int within(int index, int last) {
        return Math.min(Math.max(index, 0), last);
    }

    private static Window nearest(int index, int source, int target, boolean isBilinear) {
        // In units of 1 / (2 * target), so that everything is whole.
        long unit = 2L * target;
        long position = (2L * index + 1) * source - target;
        int below = (int) Math.floorDiv(position, unit);
        long part = Math.floorMod(position, unit);
        if (isBilinear) {
            int second = halfToEven(part << BILINEAR_BITS, unit);
            return new Window(below, new int[] {(1 << BILINEAR_BITS) - second, second});
        }
        double after = part / (double) unit;
        double[] distances = {1 + after, after, 1 - after, 2 - after};
        int[] weights = new int[4];
        for (int k = 0; k < 4; k++) {
            weights[k] = (int) Math.rint(cubic(distances[k], -0.75) * (1 << BICUBIC_BITS));
        }
        return new Window(below - 1, weights);
    }

    private static Window antialiased(int index, int source, int target, boolean isBilinear) {
        double scale = source / (double) target;
        double wider = Math.max(scale, 1.0);
        double reach = (isBilinear ? 1 : 2) * wider;
        double centre = (index + 0.5) * scale;
        int start = Math.max((int) (centre - reach + 0.5), 0);
        int stop = Math.min((int) (centre + reach + 0.5), source);
        double[] values = new double[stop - start];
        double total = 0;
        for (int k = 0; k < values.length; k++) {
            double distance = Math.abs((start + k - centre + 0.5) * (1.0 / wider));
            values[k] = isBilinear ? Math.max(1 - distance, 0.0) : cubic(distance, -0.5);
            total += values[k];
        }
        int[] weights = new int[values.length];
        for (int k = 0; k < values.length; k++) {
            double scaled = values[k] / total * (1 << ANTIALIAS_BITS);
            weights[k] = (int) (scaled + (scaled < 0 ? -0.5 : 0.5));
        }
        return new Window(start, weights);
    }

    /** Keys' cubic convolution (1981), for distances from 0 on. */
    private static double cubic(double distance, double a) {
        if (distance < 1) {
            return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
        }
        if (distance < 2) {
            return (((distance - 5) * distance + 8) * distance - 4) * a;
        }
        return 0;
    }

    private static int halfToEven(long numerator, long denominator) {
        long quotient = numerator / denominator;
        long twice = 2 * (numerator % denominator);
        boolean up = twice > denominator || (twice == denominator && quotient % 2 == 1);
        return (int) (up ? quotient + 1 : quotient);
    }
}

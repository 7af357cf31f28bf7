package mobileq.core.run;

import java.util.Arrays;

/** Statistics over the latest so many durations. Of one thread; allocates nothing once made. */
public final class LatencyWindow {
    private final long[] latest;
    private final long[] sorted;
    private int count;
    private int next;

    /**
     * @param length How many durations are remembered.
     */
    public LatencyWindow(int length) {
        latest = new long[length];
        sorted = new long[length];
    }

    /** Remembers one duration in nanoseconds, in place of the oldest where it is full. */
    public void add(long nanoseconds) {
        latest[next] = nanoseconds;
        next = (next + 1) % latest.length;
        count = Math.min(count + 1, latest.length);
    }

    /** Forgets all: another model, another delegate. */
    public void clear() {
        count = 0;
        next = 0;
    }

    /** How many are remembered. */
    public int count() {
        return count;
    }

    /** Their mean in milliseconds; 0 where there are none. */
    public double meanMilliseconds() {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += latest[i];
        }
        return count == 0 ? 0 : sum / count / 1e6;
    }

    /**
     * A percentile in milliseconds, by nearest rank: the smallest value that at least so many
     * percent do not exceed. 0 where there are none.
     *
     * @param percent Above 0, at most 100.
     */
    public double percentileMilliseconds(double percent) {
        if (count == 0) {
            return 0;
        }
        System.arraycopy(latest, 0, sorted, 0, count);
        Arrays.sort(sorted, 0, count);
        int rank = (int) Math.ceil(percent / 100 * count);
        return sorted[Math.min(Math.max(rank, 1), count) - 1] / 1e6;
    }
}

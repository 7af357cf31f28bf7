package mobileq.core.detect;

import mobileq.core.detect.decode.Candidates;

/**
 * Hands out candidates by score, highest first, equal ones in their own order: a quantized model
 * gives many equal scores, and every implementation must break those ties alike.
 *
 * <p>A heap of 64-bit keys: who stops after a few hundred has not paid for sorting the rest.
 */
final class BestFirst {
    private long[] heap = new long[256];
    private int size;

    /** Takes all candidates whose score is a number, or only those that are finite throughout. */
    void fill(Candidates candidates, boolean finiteOnly) {
        size = 0;
        if (heap.length < candidates.count()) {
            heap = new long[Math.max(candidates.count(), 2 * heap.length)];
        }
        for (int i = 0; i < candidates.count(); i++) {
            float score = candidates.score(i);
            if (finiteOnly ? candidates.isFinite(i) : !Float.isNaN(score)) {
                heap[size++] = (long) descending(score) << 32 | i;
            }
        }
        for (int parent = size / 2 - 1; parent >= 0; parent--) {
            sink(parent);
        }
    }

    /** A whole number that is the smaller the higher the score is; -0 counts as 0. */
    private static int descending(float score) {
        int bits = Float.floatToRawIntBits(score + 0f);
        return ~(bits ^ ((bits >> 31) & 0x7FFFFFFF));
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** The index of the best one left, which is taken out. */
    int next() {
        int index = (int) heap[0];
        heap[0] = heap[--size];
        sink(0);
        return index;
    }

    private void sink(int start) {
        if (start >= size) {
            return;
        }
        long key = heap[start];
        int hole = start;
        int child = 2 * hole + 1;
        while (child < size) {
            if (child + 1 < size && heap[child + 1] < heap[child]) {
                child++;
            }
            if (key <= heap[child]) {
                break;
            }
            heap[hole] = heap[child];
            hole = child;
            child = 2 * hole + 1;
        }
        heap[hole] = key;
    }
}

package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import mobileq.core.classify.TopClasses;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.run.LatencyWindow;
import mobileq.core.tensor.Tensor;
import org.junit.jupiter.api.Test;

class StatisticsTest {
    @Test
    void onlyTheLatestCount() {
        LatencyWindow window = new LatencyWindow(3);
        assertEquals(0, window.meanMilliseconds());
        assertEquals(0, window.percentileMilliseconds(95));
        for (long milliseconds : new long[] {100, 1, 3, 2}) {
            window.add(milliseconds * 1_000_000);
        }
        assertEquals(3, window.count());
        assertEquals(2.0, window.meanMilliseconds());
        assertEquals(2.0, window.percentileMilliseconds(50));
        assertEquals(3.0, window.percentileMilliseconds(100));
        window.clear();
        window.add(7_000_000);
        assertEquals(7.0, window.percentileMilliseconds(1));
    }

    @Test
    void percentilesAreByNearestRank() {
        LatencyWindow window = new LatencyWindow(20);
        for (int i = 1; i <= 20; i++) {
            window.add(i * 1_000_000L);
        }
        assertEquals(19.0, window.percentileMilliseconds(95));
        assertEquals(10.0, window.percentileMilliseconds(50));
    }

    @Test
    void theHighestClassesComeInOrderAndEqualOnesByClass() throws Exception {
        Tensor output =
                new Tensor(new TensorSpec("o", new int[] {1, 7}, "float32", null, null, null, null));
        float[] scores = {0.1f, Float.NaN, 0.4f, 0.1f, 0.4f, 0.9f, -3f};
        System.arraycopy(scores, 0, output.floats(), 0, scores.length);
        TopClasses top = new TopClasses(4, 0);
        top.read(output);
        int[] expected = {5, 2, 4, 0};
        assertEquals(expected.length, top.count());
        for (int rank = 0; rank < expected.length; rank++) {
            assertEquals(expected[rank], top.classId(rank));
            assertEquals(scores[expected[rank]], top.score(rank));
        }
        new TopClasses(20, 0).read(output);
    }

    @Test
    void fewerClassesThanAskedForAreAll() throws Exception {
        Tensor output =
                new Tensor(new TensorSpec("o", new int[] {2}, "float32", null, null, null, null));
        TopClasses top = new TopClasses(5, 3);
        top.read(output);
        assertEquals(2, top.count());
        assertEquals(4, top.classId(1));
    }
}

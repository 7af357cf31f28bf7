package mobileq.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/**
 * What the usual sample app does with YOLOv5's output: looks at every class of every row, makes an
 * object of each candidate, sorts a list of them per class and takes out what overlaps the best.
 * Written for this benchmark, after no one's code.
 */
final class SampleApp {
    /** A candidate, then a detection. */
    static final class Recognition {
        final int classId;
        final float score;
        final float left;
        final float top;
        final float right;
        final float bottom;

        Recognition(int classId, float score, float x, float y, float width, float height) {
            this.classId = classId;
            this.score = score;
            this.left = x - width / 2;
            this.top = y - height / 2;
            this.right = x + width / 2;
            this.bottom = y + height / 2;
        }

        float area() {
            return (right - left) * (bottom - top);
        }
    }

    private final float scoreThreshold;
    private final float iouThreshold;

    SampleApp(float scoreThreshold, float iouThreshold) {
        this.scoreThreshold = scoreThreshold;
        this.iouThreshold = iouThreshold;
    }

    /** From [anchors][5 + classes]. */
    List<Recognition> detect(float[][] output) {
        List<Recognition> candidates = new ArrayList<>();
        for (float[] row : output) {
            int best = 0;
            float bestScore = 0;
            for (int classId = 0; classId < row.length - 5; classId++) {
                float score = row[5 + classId];
                if (score > bestScore) {
                    bestScore = score;
                    best = classId;
                }
            }
            float score = bestScore * row[4];
            if (score >= scoreThreshold) {
                candidates.add(new Recognition(best, score, row[0], row[1], row[2], row[3]));
            }
        }
        return suppress(candidates, output[0].length - 5);
    }

    private List<Recognition> suppress(List<Recognition> candidates, int classCount) {
        List<Recognition> found = new ArrayList<>();
        for (int classId = 0; classId < classCount; classId++) {
            List<Recognition> ofClass = new ArrayList<>();
            for (Recognition candidate : candidates) {
                if (candidate.classId == classId) {
                    ofClass.add(candidate);
                }
            }
            Collections.sort(ofClass, Comparator.comparing((Recognition one) -> -one.score));
            while (!ofClass.isEmpty()) {
                Recognition best = ofClass.remove(0);
                found.add(best);
                ofClass.removeIf(other -> iou(best, other) > iouThreshold);
            }
        }
        return found;
    }

    private static float iou(Recognition a, Recognition b) {
        float width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        float height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        float common = Math.max(0, width) * Math.max(0, height);
        return common / (a.area() + b.area() - common);
    }

    /** One int8 output per stride, [h][w][anchors * (5 + classes)] in one array. */
    static final class RawOutput {
        final byte[] values;
        final float scale;
        final int zeroPoint;
        final int stride;
        final int columns;
        final double[][] anchors;

        RawOutput(
                byte[] values,
                float scale,
                int zeroPoint,
                int stride,
                int columns,
                double[][] anchors) {
            this.values = values;
            this.scale = scale;
            this.zeroPoint = zeroPoint;
            this.stride = stride;
            this.columns = columns;
            this.anchors = anchors;
        }
    }

    /** Makes the rows first that {@link #detect(float[][])} takes. */
    List<Recognition> detect(List<RawOutput> outputs, int classCount) {
        List<float[]> rows = new ArrayList<>();
        for (RawOutput output : outputs) {
            int length = 5 + classCount;
            for (int start = 0; start < output.values.length; start += length) {
                int anchor = start / length % output.anchors.length;
                int cell = start / length / output.anchors.length;
                float[] row = new float[length];
                for (int i = 0; i < length; i++) {
                    float logit = (output.values[start + i] - output.zeroPoint) * output.scale;
                    row[i] = (float) (1 / (1 + Math.exp(-logit)));
                }
                row[0] = (row[0] * 2 - 0.5f + cell % output.columns) * output.stride;
                row[1] = (row[1] * 2 - 0.5f + cell / output.columns) * output.stride;
                row[2] = row[2] * row[2] * 4 * (float) output.anchors[anchor][0];
                row[3] = row[3] * row[3] * 4 * (float) output.anchors[anchor][1];
                rows.add(row);
            }
        }
        return detect(rows.toArray(new float[0][]));
    }
}

package mobileq.core.detect.decode;

import mobileq.core.manifest.decode.DecodeKind;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.tensor.Rows;

/**
 * Anchor-free heads: YOLOv8 and its kin cut at their last convolutions, and NanoDet.
 *
 * <p>A distance is the mean of its distribution: softmax over the bins (largest logit subtracted),
 * then the sum of probability times distance, in 64 bits, rounded once (Generalized Focal Loss, Li
 * et al., 2020).
 */
final class DistanceHead implements Head {
    private final DecodeSpec spec;
    private final DistanceBranch[] branches;
    private final float centreOffset;
    private final int[][] passing;
    private final ClassPicker picker;
    private final BoxReader box;
    private final float[] ltrb = new float[4];

    DistanceHead(HeadTensors tensors, DistanceBranch[] branches) {
        this.spec = tensors.spec;
        this.branches = branches;
        this.centreOffset = centreOffset(spec);
        this.passing = new int[branches.length][];
        for (int level = 0; level < branches.length; level++) {
            passing[level] = new int[branches[level].classes().count];
        }
        this.picker = new ClassPicker(spec.classCount());
        this.box = new BoxReader(spec, tensors.width, tensors.height);
    }

    /**
     * Where in its cell a box's distances start, in strides: in the middle if nothing else is said,
     * but of NanoDet-Plus (a fourth stride) in the corner.
     */
    private static float centreOffset(DecodeSpec spec) {
        if (spec.centreOffset() != null) {
            return spec.centreOffset().floatValue();
        }
        boolean isPlus = spec.kind() == DecodeKind.NANODET && spec.strides().length > 3;
        return isPlus ? 0f : 0.5f;
    }

    @Override
    public void decode(float scoreThreshold, boolean everyClass, Candidates found) {
        Rows searched = null;
        int near = 0;
        int next = 0;
        int[] rows = passing.length == 0 ? null : passing[0];
        for (int level = 0; level < branches.length; level++) {
            DistanceBranch branch = branches[level];
            if (branch.classes() != searched) { // strides may share one tensor
                searched = branch.classes();
                rows = passing[level];
                near = searched.reaching(0, spec.classCount(), scoreThreshold, rows);
                next = 0;
            }
            int end = branch.firstRow() + branch.cells();
            for (; next < near && rows[next] < end; next++) {
                int row = rows[next];
                if (picker.reaches(searched, row, 0, 1, scoreThreshold)) {
                    readBox(branch, row);
                    picker.add(found, everyClass, scoreThreshold, box.x1, box.y1, box.x2, box.y2);
                }
            }
        }
    }

    private void readBox(DistanceBranch branch, int row) {
        int cell = row - branch.firstRow();
        for (int side = 0; side < 4; side++) {
            int first = branch.firstBoxChannel() + side * branch.bins();
            ltrb[side] =
                    branch.bins() == 1
                            ? branch.boxes().get(row, first)
                            : mean(branch.boxes(), row, first, branch.bins());
        }
        int column = cell % branch.columns();
        int line = cell / branch.columns();
        box.around(column + centreOffset, line + centreOffset, ltrb, branch.stride());
    }

    private float mean(Rows boxes, int row, int first, int bins) {
        double largest = Double.NEGATIVE_INFINITY;
        for (int bin = 0; bin < bins; bin++) {
            largest = Math.max(largest, boxes.get(row, first + bin));
        }
        double sum = 0;
        double weights = 0;
        for (int bin = 0; bin < bins; bin++) {
            double weight = Math.exp(boxes.get(row, first + bin) - largest);
            double distance = spec.distanceBins().length > 0 ? spec.distanceBins()[bin] : bin;
            sum += weight * distance;
            weights += weight;
        }
        return (float) (sum / weights);
    }
}

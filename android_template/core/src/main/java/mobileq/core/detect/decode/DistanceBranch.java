package mobileq.core.detect.decode;

import mobileq.core.BundleException;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.HeadOutput;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Activation;
import mobileq.core.tensor.Rows;

/**
 * One stride of an anchor-free head: class scores, and the distances of a box's four sides.
 *
 * @param stride Pixels.
 * @param columns Cells in a row.
 * @param cells Cells in all.
 * @param firstRow Of cell 0 in `classes` and `boxes`.
 * @param classes Activated scores.
 * @param boxes Distances, or logits of their distributions.
 * @param firstBoxChannel Where in a row of `boxes` they start.
 * @param bins Values per side; 1 where they are distances.
 */
record DistanceBranch(
        int stride,
        int columns,
        int cells,
        int firstRow,
        Rows classes,
        Rows boxes,
        int firstBoxChannel,
        int bins) {

    /** Classes and boxes in an output each, per stride. */
    static DistanceBranch[] perStride(HeadTensors tensors) throws BundleException {
        DecodeSpec spec = tensors.spec;
        DistanceBranch[] branches = new DistanceBranch[spec.strides().length];
        for (int level = 0; level < branches.length; level++) {
            int stride = spec.strides()[level];
            HeadOutput classes =
                    tensors.find(stride, OutputRole.CLASS_LOGITS, OutputRole.CLASS_SCORES);
            HeadOutput boxes =
                    tensors.find(stride, OutputRole.BOX_DISTRIBUTION, OutputRole.BOX_REGRESSION);
            boolean areLogits = classes.role() == OutputRole.CLASS_LOGITS;
            boolean isSpread = boxes.role() == OutputRole.BOX_DISTRIBUTION;
            int bins = isSpread ? Math.max(spec.regMax(), 1) : 1;
            Rows classRows =
                    tensors.rows(
                            classes,
                            spec.classCount(),
                            areLogits ? Activation.SIGMOID : Activation.NONE);
            Rows boxRows = tensors.rows(boxes, 4 * bins, Activation.NONE);
            tensors.checkCount(classRows, tensors.cells(stride));
            tensors.checkCount(boxRows, tensors.cells(stride));
            branches[level] = of(tensors, stride, 0, classRows, boxRows, 0, bins);
        }
        return branches;
    }

    /** One output per stride: class logits, then the box's. */
    static DistanceBranch[] joint(HeadTensors tensors) throws BundleException {
        DecodeSpec spec = tensors.spec;
        DistanceBranch[] branches = new DistanceBranch[spec.strides().length];
        for (int level = 0; level < branches.length; level++) {
            int stride = spec.strides()[level];
            HeadOutput output = tensors.find(stride, OutputRole.PREDICTIONS);
            Rows classes = tensors.rows(output, joined(spec), Activation.SIGMOID);
            Rows boxes = tensors.rows(output, joined(spec), Activation.NONE);
            tensors.checkCount(classes, tensors.cells(stride));
            branches[level] =
                    of(tensors, stride, 0, classes, boxes, spec.classCount(), spec.regMax());
        }
        return branches;
    }

    /** One output for all strides: class scores, then the box's logits. */
    static DistanceBranch[] ofOne(HeadTensors tensors) throws BundleException {
        DecodeSpec spec = tensors.spec;
        HeadOutput output = tensors.find(null, OutputRole.PREDICTIONS);
        Rows rows = tensors.rows(output, joined(spec), Activation.NONE);
        tensors.checkCount(rows, tensors.cellsOfAllStrides());
        DistanceBranch[] branches = new DistanceBranch[spec.strides().length];
        int firstRow = 0;
        for (int level = 0; level < branches.length; level++) {
            int stride = spec.strides()[level];
            branches[level] =
                    of(tensors, stride, firstRow, rows, rows, spec.classCount(), spec.regMax());
            firstRow += tensors.cells(stride);
        }
        return branches;
    }

    private static int joined(DecodeSpec spec) {
        return spec.classCount() + 4 * spec.regMax();
    }

    private static DistanceBranch of(
            HeadTensors tensors,
            int stride,
            int firstRow,
            Rows classes,
            Rows boxes,
            int firstBoxChannel,
            int bins)
            throws BundleException {
        int named = tensors.spec.distanceBins().length;
        if (bins < 1 || (bins > 1 && named > 0 && named != bins)) {
            throw new BundleException(
                    "There are "
                            + named
                            + " distance bins for "
                            + bins
                            + " values of a box side.");
        }
        return new DistanceBranch(
                stride,
                tensors.columns(stride),
                tensors.cells(stride),
                firstRow,
                classes,
                boxes,
                firstBoxChannel,
                bins);
    }
}

package mobileq.core.manifest.decode;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.manifest.HeadKind;

/**
 * How output tensors become boxes, scores and classes.
 *
 * @param kind The head's family.
 * @param classCount How many classes there are.
 * @param outputs What each output tensor holds.
 * @param head Where the graph ends.
 * @param strides In pixels.
 * @param anchors Per stride, (width, height) pairs in input pixels.
 * @param regMax How many bins the distance distribution of a box side has, else 0.
 * @param distanceBins The distance that each bin stands for, in strides; 0, 1 ... where empty.
 * @param centreOffset Where in its cell a raw box's distances begin, in strides; null where that
 *     is as the kind has it.
 * @param boxFormat Of decoded boxes.
 * @param boxUnit Of decoded boxes.
 * @param scoreThreshold The default.
 * @param iouThreshold The default.
 */
public record DecodeSpec(
        DecodeKind kind,
        int classCount,
        List<HeadOutput> outputs,
        HeadKind head,
        int[] strides,
        double[][][] anchors,
        int regMax,
        double[] distanceBins,
        Double centreOffset,
        BoxFormat boxFormat,
        BoxUnit boxUnit,
        double scoreThreshold,
        double iouThreshold) {
    private static final int MOST_CLASSES = 10_000;
    private static final int MOST_BINS = 1024;
    private static final int LARGEST_STRIDE = 16384;

    /** Reads a manifest's object strictly, as {@code Manifest.parse} does. */
    public static DecodeSpec read(Fields fields) throws BundleException {
        DecodeSpec spec =
                new DecodeSpec(
                        fields.constant("kind", DecodeKind.class),
                        fields.integer("class_count"),
                        fields.objects("outputs", HeadOutput::read),
                        fields.constant("head", HeadKind.class, HeadKind.DECODED),
                        fields.integers("strides"),
                        fields.nestedNumbers("anchors"),
                        fields.integer("reg_max", 0),
                        fields.numbers("distance_bins"),
                        fields.numberOrNull("centre_offset"),
                        fields.constant("box_format", BoxFormat.class, BoxFormat.CXCYWH),
                        fields.constant("box_unit", BoxUnit.class, BoxUnit.PIXEL),
                        fields.number("score_threshold", 0.25),
                        fields.number("iou_threshold", 0.45));
        spec.check(fields);
        return spec;
    }

    /** What would overflow, or read beyond an array's end, long after the file was read. */
    private void check(Fields fields) throws BundleException {
        if (classCount < 1 || classCount > MOST_CLASSES) {
            throw fields.wrong("class_count", "%d classes", classCount);
        }
        if (regMax < 0 || regMax > MOST_BINS) {
            throw fields.wrong("reg_max", "%d is not in 0 to %d", regMax, MOST_BINS);
        }
        if (distanceBins.length != 0 && distanceBins.length != regMax) {
            throw fields.wrong(
                    "distance_bins", "%d of them for a reg_max of %d", distanceBins.length, regMax);
        }
        if (centreOffset != null) {
            checkShare(fields, "centre_offset", centreOffset);
        }
        checkShare(fields, "score_threshold", scoreThreshold);
        checkShare(fields, "iou_threshold", iouThreshold);
        for (int stride : strides) {
            if (stride < 1 || stride > LARGEST_STRIDE) {
                throw fields.wrong("strides", "%d is not in 1 to %d", stride, LARGEST_STRIDE);
            }
        }
        for (double[][] ofStride : anchors) {
            for (double[] anchor : ofStride) {
                if (anchor.length != 2) {
                    throw fields.wrong("anchors", "an anchor is no pair of width and height");
                }
            }
        }
    }

    private static void checkShare(Fields fields, String name, double value)
            throws BundleException {
        if (!(value >= 0 && value <= 1)) {
            throw fields.wrong(name, "%s is not in 0 to 1", value);
        }
    }
}

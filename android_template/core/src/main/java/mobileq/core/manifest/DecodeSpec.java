package mobileq.core.manifest;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;

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
        BoxFormat boxFormat,
        BoxUnit boxUnit,
        double scoreThreshold,
        double iouThreshold) {
    static DecodeSpec read(Fields fields) throws BundleException {
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
                        fields.constant("box_format", BoxFormat.class, BoxFormat.CXCYWH),
                        fields.constant("box_unit", BoxUnit.class, BoxUnit.PIXEL),
                        fields.number("score_threshold", 0.25),
                        fields.number("iou_threshold", 0.45));
        if (spec.classCount < 1) {
            throw fields.wrong("class_count", "%d classes", spec.classCount);
        }
        for (int stride : spec.strides) {
            if (stride < 1) {
                throw fields.wrong("strides", "%d is not positive", stride);
            }
        }
        for (double[][] ofStride : spec.anchors) {
            for (double[] anchor : ofStride) {
                if (anchor.length != 2) {
                    throw fields.wrong("anchors", "an anchor is no pair of width and height");
                }
            }
        }
        return spec;
    }
}

package mobileq.core.detect.decode;

import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.manifest.HeadKind;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.OutputRole;
import mobileq.core.tensor.Tensor;

/** Makes the head that a specification describes. */
public final class Heads {
    private Heads() {}

    /**
     * Makes a head.
     *
     * @param spec How the outputs are to be read.
     * @param width Of the model's input, pixels.
     * @param height Of the model's input, pixels.
     * @param outputs The tensors by their names, kept and read again for every picture.
     * @return The head.
     * @throws BundleException The outputs are not what `spec` describes.
     */
    public static Head create(
            DecodeSpec spec, int width, int height, Map<String, Tensor> outputs)
            throws BundleException {
        HeadTensors tensors = new HeadTensors(spec, width, height, outputs);
        boolean isRaw = spec.head() == HeadKind.RAW;
        switch (spec.kind()) {
            case YOLOV5:
                return isRaw ? new RawYolov5(tensors) : new ObjectnessHead(tensors);
            case YOLOX:
                return isRaw ? new RawYolox(tensors) : new ObjectnessHead(tensors);
            case YOLOV8:
                return isRaw
                        ? new DistanceHead(tensors, DistanceBranch.perStride(tensors))
                        : ScoredBoxes.ofAnchors(tensors);
            case NANODET:
            case PICODET:
                return new DistanceHead(tensors, nanodet(tensors, isRaw));
            case SPLIT:
                return splitHead(tensors, isRaw);
            case END2END:
                return isRaw ? new BestPairs(rawEnd2End(tensors)) : new End2End(tensors);
            case SSD:
                return new Ssd(tensors);
        }
        throw new BundleException("The head " + spec.kind() + " is not known.");
    }

    private static Head splitHead(HeadTensors tensors, boolean isRaw) throws BundleException {
        if (isRaw) {
            throw new BundleException("A head of the kind split has no raw outputs.");
        }
        return ScoredBoxes.ofTwo(tensors, true);
    }

    private static Head rawEnd2End(HeadTensors tensors) throws BundleException {
        if (tensors.spec.strides().length == 0) {
            return ScoredBoxes.ofTwo(tensors, false);
        }
        return new DistanceHead(tensors, DistanceBranch.perStride(tensors));
    }

    private static DistanceBranch[] nanodet(HeadTensors tensors, boolean isRaw)
            throws BundleException {
        if (!tensors.hasOnly(OutputRole.PREDICTIONS)) {
            return DistanceBranch.perStride(tensors);
        }
        return isRaw ? DistanceBranch.joint(tensors) : DistanceBranch.ofOne(tensors);
    }
}

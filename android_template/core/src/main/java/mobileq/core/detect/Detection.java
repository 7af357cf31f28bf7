package mobileq.core.detect;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.check.Comparison;
import mobileq.core.detect.decode.Heads;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.run.Reader;
import mobileq.core.run.Records;
import mobileq.core.run.Task;
import mobileq.core.tensor.Tensor;

/** Finding boxes. */
public final class Detection implements Task {
    private final Detections found = new Detections();
    private volatile Thresholds thresholds;

    /**
     * @param thresholds What becomes a detection.
     */
    public Detection(Thresholds thresholds) {
        this.thresholds = thresholds;
    }

    @Override
    public Reader reader(Manifest manifest, Artifact artifact, List<Tensor> outputs)
            throws BundleException {
        DecodeSpec decode = manifest.decodeOf(artifact);
        if (decode == null) {
            throw new BundleException(
                    "How the outputs of "
                            + manifest.model().name()
                            + " are to be read is not in the bundle.");
        }
        Map<String, Tensor> byName = new LinkedHashMap<>();
        for (Tensor output : outputs) {
            byName.put(output.spec().name(), output);
        }
        PreprocessSpec input = manifest.model().preprocess();
        Postprocessor postprocessor =
                new Postprocessor(Heads.create(decode, input.width(), input.height(), byName));
        return (letterbox, frame) -> postprocessor.run(letterbox, frame, thresholds, found);
    }

    /** As COCO has them. */
    @Override
    public Records records(ModelSpec model) {
        return new CocoRecords(model, found);
    }

    @Override
    public Comparison comparison(Manifest manifest, Artifact artifact) {
        DecodeSpec decode = manifest.decodeOf(artifact);
        return decode == null ? null : new DetectionComparison(decode);
    }

    /** What becomes a detection. */
    public Thresholds thresholds() {
        return thresholds;
    }

    /** From the next picture on; from any thread. */
    public void setThresholds(Thresholds newThresholds) {
        thresholds = newThresholds;
    }

    /** What was found in the latest picture; on the thread that reads. */
    public Detections found() {
        return found;
    }
}

package mobileq.core.classify;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.classes.ClassValues;
import mobileq.core.manifest.classes.ClassesSpec;
import mobileq.core.run.Reader;
import mobileq.core.run.Task;
import mobileq.core.tensor.Tensor;

/** Telling which class a picture is of. */
public final class Classification implements Task {
    /** So many classes are told, the best. */
    public static final int MOST = 5;

    private final TopClasses best = new TopClasses(MOST);

    @Override
    public Reader reader(Manifest manifest, Artifact artifact, List<Tensor> outputs)
            throws BundleException {
        if (outputs.isEmpty()) {
            throw new BundleException(manifest.model().name() + " has no output to read.");
        }
        Tensor values = outputs.get(0);
        ClassesSpec spec = manifest.model().classes();
        if (spec != null && values.spec().elementCount() != spec.classCount()) {
            throw new BundleException(
                    manifest.model().name()
                            + " gives "
                            + values.spec().elementCount()
                            + " values where its manifest has "
                            + spec.classCount()
                            + " classes.");
        }
        boolean isLogits = spec != null && spec.values() == ClassValues.LOGITS;
        return (letterbox, frame) -> {
            best.read(values);
            if (isLogits) {
                best.softmax(values);
            }
        };
    }

    /** The best classes of the latest picture; on the thread that reads. */
    public TopClasses best() {
        return best;
    }
}

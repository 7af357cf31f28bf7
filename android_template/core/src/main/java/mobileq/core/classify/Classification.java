package mobileq.core.classify;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
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
        Tensor scores = outputs.get(0);
        return (letterbox, frame) -> best.read(scores);
    }

    /** The best classes of the latest picture; on the thread that reads. */
    public TopClasses best() {
        return best;
    }
}

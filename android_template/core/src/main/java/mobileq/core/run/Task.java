package mobileq.core.run;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.check.Comparison;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.tensor.Tensor;

/**
 * What a model is for: all that differs between tasks when outputs become an answer. Each task has
 * a package of its own in the core, and its answer is of a type of its own, which only those know
 * that show it.
 */
public interface Task {
    /**
     * Gets ready to read the outputs of a file.
     *
     * @param manifest The bundle's.
     * @param artifact Which of its files.
     * @param outputs Its output tensors in the file's order, kept and read again for every picture.
     * @return What reads them.
     * @throws BundleException They are not what the manifest says, or it does not say how they are
     *     to be read: one sentence for the screen.
     */
    Reader reader(Manifest manifest, Artifact artifact, List<Tensor> outputs)
            throws BundleException;

    /**
     * Starts to keep answers; not of tasks whose answers are the outputs themselves.
     *
     * @param model Whose they are.
     * @return Without a picture yet.
     */
    default Records records(ModelSpec model) {
        throw new UnsupportedOperationException("answers of " + model.task() + " are not kept");
    }

    /**
     * Holds answers against each other, for the self-check.
     *
     * @param manifest The bundle's.
     * @param artifact Whose answers.
     * @return Null where nobody knows how: the file is not checked.
     */
    default Comparison comparison(Manifest manifest, Artifact artifact) {
        return null;
    }
}

package mobileq.core.run;

import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.PreprocessSpec;

/** Loads the model files of one target. */
public interface ModelRuntime {
    /** The target whose artifacts it loads: {@code tflite}, {@code mnn}. */
    String target();

    /** Whether it scales pixels itself; see {@link Pipeline}. */
    boolean givesPixels();

    /** Whether the accelerator exists on this device, as far as that can be known. */
    boolean offers(Accelerator accelerator);

    /**
     * Whether the accelerator is known to work on this device: what nobody asked for is used only
     * then. May call the driver.
     */
    default boolean isKnownToRun(Accelerator accelerator) {
        return true;
    }

    /**
     * Loads a model file.
     *
     * @param artifact Which.
     * @param preprocess How the model wants its picture.
     * @param pipeline Whose tensors the file must have.
     * @param accelerator What to run it on.
     * @param threads Of the processor.
     * @return The loaded model, of the calling thread.
     * @throws BackendException The runtime or the accelerator failed; another may not.
     * @throws BundleException The file is not what the manifest says.
     */
    Backend open(
            Artifact artifact,
            PreprocessSpec preprocess,
            Pipeline pipeline,
            Accelerator accelerator,
            int threads)
            throws BackendException, BundleException;
}

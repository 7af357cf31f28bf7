package mobileq.app.mnn;

import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.ModelSource;
import mobileq.core.run.Pipeline;
import mobileq.core.tensor.Tensor;

/** MNN, whose libraries the person puts into the project (see its README). */
public final class MnnRuntime implements ModelRuntime {
    private static final int FORWARD_CPU = 0;
    private static final int FORWARD_OPENCL = 3;
    private static final int FORWARD_VULKAN = 7;

    private final ModelSource models;
    private final String missing;
    private final int gpu;

    /**
     * Loads the libraries.
     *
     * @param models Where the model files are.
     */
    public MnnRuntime(ModelSource models) {
        this.models = models;
        // The order matters: a plug-in registers itself with MNN, and mnncore links to it.
        String problem = load("MNN");
        boolean hasOpenCl = problem == null && load("MNN_CL") == null;
        boolean hasVulkan = problem == null && load("MNN_Vulkan") == null;
        this.missing = problem != null ? problem : load("mnncore");
        this.gpu = hasOpenCl ? FORWARD_OPENCL : hasVulkan ? FORWARD_VULKAN : FORWARD_CPU;
    }

    /** Why a library can't be loaded; null where it is. */
    private static String load(String library) {
        try {
            System.loadLibrary(library);
            return null;
        } catch (UnsatisfiedLinkError error) {
            return "lib" + library + ".so cannot be loaded (" + error.getMessage() + ")";
        }
    }

    @Override
    public String target() {
        return "mnn";
    }

    @Override
    public boolean givesPixels() {
        return true;
    }

    @Override
    public boolean offers(Accelerator accelerator) {
        return accelerator == Accelerator.CPU
                || (accelerator == Accelerator.GPU && gpu != FORWARD_CPU);
    }

    @Override
    public Backend open(
            Artifact artifact,
            PreprocessSpec preprocess,
            Pipeline pipeline,
            Accelerator accelerator,
            int threads)
            throws BackendException, BundleException {
        if (missing != null) {
            throw new BundleException(missing + "; the project's README says where it belongs.");
        }
        boolean isCpu = accelerator == Accelerator.CPU;
        if (!isCpu && !offers(accelerator)) {
            throw new BackendException("MNN has no library for " + accelerator, null);
        }
        MnnBackend backend = null;
        boolean isOpen = false;
        try {
            backend = new MnnBackend(models.bytes(artifact), artifact, preprocess);
            backend.start(isCpu ? FORWARD_CPU : gpu, threads, describe(isCpu, threads));
            for (Tensor output : pipeline.outputs()) {
                check(output, backend.outputShape(output.spec()));
            }
            isOpen = true;
            return backend;
        } catch (LinkageError error) {
            throw new BackendException("libmnncore.so lacks " + error.getMessage(), error);
        } finally {
            if (!isOpen && backend != null) {
                backend.close();
            }
        }
    }

    private String describe(boolean isCpu, int threads) {
        String on = gpu == FORWARD_OPENCL ? "GPU (OpenCL)" : "GPU (Vulkan)";
        return "MNN, " + (isCpu ? "CPU, threads: " + threads : on);
    }

    /** MNN gives real values whatever the model computes in. */
    private static void check(Tensor output, int[] shape) throws BundleException {
        Pipeline.check(output, shape, "float32", 0, 0);
    }
}

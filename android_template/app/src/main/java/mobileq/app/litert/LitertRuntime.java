package mobileq.app.litert;

import android.content.Context;
import com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider;
import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.Environment;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.NpuAcceleratorProvider;
import java.io.File;
import java.util.Collections;
import java.util.List;
import mobileq.app.BundleAssets;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.Pipeline;
import mobileq.core.tensor.ElementType;
import mobileq.core.tensor.Tensor;

/** LiteRT 2.x: models compiled for the CPU, the GPU or an NPU. */
public final class LitertRuntime implements ModelRuntime {
    private final Context context;
    private final BundleAssets models;
    private final NpuAcceleratorProvider npu;

    /**
     * @param context The app's.
     * @param models Where the model files are.
     */
    public LitertRuntime(Context context, BundleAssets models) {
        this.context = context;
        this.models = models;
        this.npu = new BuiltinNpuAcceleratorProvider(context);
    }

    @Override
    public String target() {
        return "tflite";
    }

    @Override
    public boolean givesPixels() {
        return false;
    }

    @Override
    public boolean offers(Accelerator accelerator) {
        switch (accelerator) {
            case CPU:
            case GPU:
                return true;
            case NPU:
                return npu.isDeviceSupported() && hasNpuLibraries();
            default:
                return false;
        }
    }

    /** The provider says they are ready, whether or not the app was built with any. */
    private boolean hasNpuLibraries() {
        String[] names = new File(npu.getLibraryDir()).list();
        for (String name : names == null ? new String[0] : names) {
            if (name.startsWith("libLiteRtDispatch")) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Backend open(
            Artifact artifact,
            PreprocessSpec preprocess,
            Pipeline pipeline,
            Accelerator accelerator,
            int threads)
            throws BackendException, BundleException {
        models.map(artifact); // LiteRT says little of a file that is not there or cut off
        check(pipeline.inputs(), "takes");
        check(pipeline.outputs(), "gives");
        Environment environment = null;
        CompiledModel model = null;
        LitertBackend backend = null;
        boolean isOpen = false;
        try {
            environment = Environment.create(context, npu, Collections.emptyMap(), true);
            require(environment, accelerator);
            CompiledModel.Options options = options(accelerator, artifact, threads);
            model =
                    CompiledModel.create(
                            models.assets(), models.place(artifact), options, environment);
            String on = accelerator == Accelerator.CPU ? "CPU, threads: " + threads : "" + accelerator;
            backend = new LitertBackend(environment, model, pipeline, on);
            isOpen = true;
            return backend;
        } catch (LiteRtException | RuntimeException | LinkageError error) {
            throw BackendException.of(error);
        } finally {
            if (!isOpen) {
                LitertBackend.close(model);
                LitertBackend.close(environment);
            }
        }
    }

    /** Java is given numbers of these types only (2.3). */
    private static void check(List<Tensor> tensors, String does) throws BundleException {
        for (Tensor tensor : tensors) {
            if (tensor.type() == ElementType.INT16) {
                throw new BundleException(
                        "The model "
                                + does
                                + " int16, which LiteRT 2 has no Java for; choose another file.");
            }
        }
    }

    /** An accelerator that is not there is passed over in silence, and the CPU runs instead. */
    private static void require(Environment environment, Accelerator wanted)
            throws LiteRtException, BackendException {
        if (!environment.getAvailableAccelerators().contains(accelerator(wanted))) {
            throw new BackendException("LiteRT finds no " + wanted, null);
        }
    }

    /**
     * With the CPU for what the other can't do: without it such operators run on kernels of no
     * speed.
     */
    private CompiledModel.Options options(Accelerator wanted, Artifact artifact, int threads) {
        CompiledModel.Options options =
                wanted == Accelerator.CPU
                        ? new CompiledModel.Options(accelerator(wanted))
                        : new CompiledModel.Options(
                                accelerator(wanted), com.google.ai.edge.litert.Accelerator.CPU);
        options.setCpuOptions(new CompiledModel.CpuOptions(threads, null, null));
        if (wanted == Accelerator.GPU) {
            options.setGpuOptions(keptPrograms(artifact));
        }
        return options;
    }

    /** Compiling its programs takes a graphics processor seconds: they are kept for each file. */
    private CompiledModel.GpuOptions keptPrograms(Artifact artifact) {
        String folder = context.getCodeCacheDir().getPath(); // emptied with each new app or system
        return new CompiledModel.GpuOptions(
                null, null, null, null, null, null, // the fields up to preferTextureWeights
                folder, artifact.sha256(), true, // serializationDir, its key, serializeProgramCache
                null, null, null, null, null, null);
    }

    private static com.google.ai.edge.litert.Accelerator accelerator(Accelerator wanted) {
        switch (wanted) {
            case GPU:
                return com.google.ai.edge.litert.Accelerator.GPU;
            case NPU:
                return com.google.ai.edge.litert.Accelerator.NPU;
            default:
                return com.google.ai.edge.litert.Accelerator.CPU;
        }
    }
}

package mobileq.app.tflite;

import android.os.Build;
import java.io.File;
import java.util.Locale;
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
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.gpu.CompatibilityList;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.gpu.GpuDelegateFactory;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** LiteRT 1.x (the TensorFlow Lite interpreter) with its GPU and NNAPI delegates. */
public final class TfliteRuntime implements ModelRuntime {
    private final ModelSource models;

    /**
     * @param models Where the model files are.
     */
    public TfliteRuntime(ModelSource models) {
        this.models = models;
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
        if (accelerator == Accelerator.NNAPI) {
            // Below Android 9, it lacks much of what models need.
            return Build.VERSION.SDK_INT >= Build.VERSION_CODES.P;
        }
        return accelerator != Accelerator.NPU;
    }

    @Override
    public Backend open(
            Artifact artifact,
            PreprocessSpec preprocess,
            Pipeline pipeline,
            Accelerator accelerator,
            int threads)
            throws BackendException, BundleException {
        Delegate delegate = null;
        Interpreter interpreter = null;
        boolean isOpen = false;
        try {
            delegate = delegate(accelerator, artifact);
            Interpreter.Options options = new Interpreter.Options();
            if (delegate == null) {
                options.setNumThreads(threads);
            } else {
                options.addDelegate(delegate);
            }
            interpreter = new Interpreter(models.map(artifact), options);
            check(interpreter, pipeline);
            String on = delegate == null ? "CPU, threads: " + threads : accelerator.toString();
            Backend backend = new TfliteBackend(interpreter, delegate, pipeline, on);
            isOpen = true;
            return backend;
        } catch (RuntimeException | LinkageError error) {
            throw BackendException.of(error);
        } finally {
            if (!isOpen) {
                TfliteBackend.close(interpreter, delegate);
            }
        }
    }

    /** By the list of graphics processors that comes with the delegate. */
    @Override
    public boolean isKnownToRun(Accelerator accelerator) {
        if (accelerator != Accelerator.GPU) {
            return true;
        }
        try (CompatibilityList list = new CompatibilityList()) {
            return list.isDelegateSupportedOnThisDevice();
        } catch (RuntimeException | LinkageError error) { // which opening the model will tell of
            return true;
        }
    }

    private Delegate delegate(Accelerator accelerator, Artifact artifact) {
        switch (accelerator) {
            case GPU:
                return new GpuDelegate(gpuOptions(artifact));
            case NNAPI:
                return new NnApiDelegate();
            default:
                return null;
        }
    }

    /**
     * For frame after frame, in half precision where that is faster. Compiling its programs takes a
     * graphics processor seconds: they are kept, under a name that is another for each file.
     * CompatibilityList's "best options" are the plain defaults (LiteRT 1.4.2).
     */
    private GpuDelegateFactory.Options gpuOptions(Artifact artifact) {
        GpuDelegateFactory.Options options = new GpuDelegateFactory.Options();
        options.setInferencePreference(
                GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED);
        options.setPrecisionLossAllowed(true);
        File folder = models.compiled();
        if (folder != null) {
            options.setSerializationParams(folder.getPath(), artifact.sha256());
        }
        return options;
    }

    private static void check(Interpreter interpreter, Pipeline pipeline) throws BundleException {
        int inputs = interpreter.getInputTensorCount();
        int outputs = interpreter.getOutputTensorCount();
        pipeline.check(inputs, outputs);
        for (int i = 0; i < inputs; i++) {
            check(pipeline.inputs().get(i), interpreter.getInputTensor(i));
        }
        for (int i = 0; i < outputs; i++) {
            check(pipeline.outputs().get(i), interpreter.getOutputTensor(i));
        }
    }

    private static void check(Tensor wanted, org.tensorflow.lite.Tensor found)
            throws BundleException {
        org.tensorflow.lite.Tensor.QuantizationParams quant = found.quantizationParams();
        String type = found.dataType().name().toLowerCase(Locale.ROOT);
        boolean isScaled = wanted.spec().quant() != null || wanted.isBytes();
        Pipeline.check(
                wanted,
                found.shape(),
                type,
                isScaled ? quant.getScale() : 0,
                isScaled ? quant.getZeroPoint() : 0);
    }
}

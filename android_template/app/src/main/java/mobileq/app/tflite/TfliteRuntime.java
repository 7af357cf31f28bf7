package mobileq.app.tflite;

import android.os.Build;
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
            delegate = delegate(accelerator);
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
            throw new BackendException(TfliteBackend.brief(error), error);
        } finally {
            if (!isOpen) {
                TfliteBackend.close(interpreter, delegate);
            }
        }
    }

    private static Delegate delegate(Accelerator accelerator) {
        switch (accelerator) {
            case GPU:
                try (CompatibilityList known = new CompatibilityList()) {
                    return new GpuDelegate(known.getBestOptionsForThisDevice());
                }
            case NNAPI:
                return new NnApiDelegate();
            default:
                return null;
        }
    }

    private static void check(Interpreter interpreter, Pipeline pipeline) throws BundleException {
        int inputs = interpreter.getInputTensorCount();
        int outputs = interpreter.getOutputTensorCount();
        if (inputs != pipeline.inputs().size() || outputs != pipeline.outputs().size()) {
            throw new BundleException(
                    "The model file does not belong to its manifest: it has "
                            + inputs
                            + " inputs and "
                            + outputs
                            + " outputs.");
        }
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

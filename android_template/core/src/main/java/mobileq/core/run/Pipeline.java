package mobileq.core.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.image.FrameToTensor;
import mobileq.core.image.Letterbox;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.QuantParams;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.tensor.Tensor;

/**
 * From a frame to the task's answer with one file of a bundle: all that it knows about the model
 * stands in the manifest. Knows of no task, no camera and no screen. Of one thread, that of its
 * backend.
 */
public final class Pipeline {
    private final List<Tensor> inputs;
    private final List<Tensor> outputs;
    private final FrameToTensor frameToTensor;
    private final Reader reader;

    /**
     * @param manifest The bundle's.
     * @param artifact Which of its files.
     * @param task What its outputs mean.
     * @throws BundleException The file can't be used with pictures: one sentence for the screen.
     */
    public Pipeline(Manifest manifest, Artifact artifact, Task task) throws BundleException {
        this(manifest, artifact, task, false);
    }

    /**
     * @param manifest The bundle's.
     * @param artifact Which of its files.
     * @param task What its outputs mean.
     * @param givesPixels Whether the runtime scales pixels itself: its input is then {@code uint8}
     *     [1, height, width, 3], in the model's order of channels.
     * @throws BundleException The file can't be used with pictures: one sentence for the screen.
     */
    public Pipeline(Manifest manifest, Artifact artifact, Task task, boolean givesPixels)
            throws BundleException {
        ModelSpec model = manifest.model();
        if (model.preprocess() == null || artifact.inputs().isEmpty()) {
            throw new BundleException(
                    "How " + model.name() + " wants its picture is not in the bundle.");
        }
        if (artifact.inputs().size() > 1) {
            throw new BundleException(
                    model.name()
                            + " has a second input, '"
                            + artifact.inputs().get(1).name()
                            + "', which a picture alone can't feed.");
        }
        PreprocessSpec preprocess = model.preprocess();
        inputs =
                allocate(
                        givesPixels
                                ? Collections.singletonList(pixels(preprocess))
                                : artifact.inputs());
        outputs = allocate(artifact.outputs());
        TensorSpec declared = model.inputs().get(0);
        boolean takesPixels = declared.dtype().equals("uint8") && declared.quant() == null;
        frameToTensor = new FrameToTensor(preprocess, inputs.get(0), takesPixels || givesPixels);
        reader = task.reader(manifest, artifact, outputs);
    }

    private static TensorSpec pixels(PreprocessSpec spec) {
        int[] shape = {1, spec.height(), spec.width(), spec.channelOrder().channels()};
        boolean isNchw = spec.layout() == Layout.NCHW;
        int[] permutation = isNchw ? new int[] {0, 2, 3, 1} : null;
        return new TensorSpec("pixels", shape, "uint8", Layout.NHWC, null, null, permutation);
    }

    private static List<Tensor> allocate(List<TensorSpec> specs) throws BundleException {
        List<Tensor> tensors = new ArrayList<>();
        for (TensorSpec spec : specs) {
            tensors.add(new Tensor(spec));
        }
        return tensors;
    }

    /** The input tensors, in the file's order. */
    public List<Tensor> inputs() {
        return inputs;
    }

    /** The output tensors, in the file's order. */
    public List<Tensor> outputs() {
        return outputs;
    }

    /**
     * Analyses one frame: the answer is the task's.
     *
     * @param frame The picture.
     * @param backend Has the artifact loaded.
     * @param times Filled anew.
     * @throws BackendException The runtime failed.
     */
    public void analyze(Frame frame, Backend backend, Times times) throws BackendException {
        long start = System.nanoTime();
        Letterbox letterbox = frameToTensor.fill(frame);
        long filled = System.nanoTime();
        backend.run(inputs, outputs);
        long ran = System.nanoTime();
        reader.read(letterbox, frame);
        times.preprocessNanos = filled - start;
        times.inferenceNanos = ran - filled;
        times.postprocessNanos = System.nanoTime() - ran;
    }

    /**
     * Holds how many tensors a loaded file has against the manifest.
     *
     * @param found Inputs that it has.
     * @param given Outputs.
     * @throws BundleException The manifest has others.
     */
    public void check(int found, int given) throws BundleException {
        if (found != inputs().size() || given != outputs().size()) {
            throw new BundleException(
                    "The model file does not belong to its manifest: it has "
                            + found
                            + " inputs and "
                            + given
                            + " outputs.");
        }
    }

    /**
     * Holds what a loaded file says of one of its tensors against the manifest.
     *
     * @param tensor What the manifest says.
     * @param shape What the file says.
     * @param dtype What the file says, as the manifest would write it.
     * @param scale What the file says; 0 where it is not quantized.
     * @param zeroPoint What the file says.
     * @throws BundleException They differ.
     */
    public static void check(Tensor tensor, int[] shape, String dtype, float scale, int zeroPoint)
            throws BundleException {
        TensorSpec spec = tensor.spec();
        QuantParams quant = spec.quant();
        float wantedScale = quant == null ? 0 : quant.scale()[0];
        int wantedZeroPoint = quant == null ? 0 : quant.zeroPoint()[0];
        String said = described(spec.dtype(), spec.shape(), wantedScale, wantedZeroPoint);
        String found = described(dtype, shape, scale, zeroPoint);
        if (!said.equals(found)) {
            throw new BundleException(
                    "The model file does not belong to its manifest: '"
                            + spec.name()
                            + "' is "
                            + found
                            + " where the manifest says "
                            + said
                            + ".");
        }
    }

    private static String described(String dtype, int[] shape, float scale, int zeroPoint) {
        String plain = dtype + " " + Arrays.toString(shape);
        return scale == 0 ? plain : plain + " with scale " + scale + ", zero point " + zeroPoint;
    }
}

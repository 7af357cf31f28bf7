package mobileq.app.mnn;

import com.taobao.android.mnn.MNNNetNative;
import java.util.List;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.tensor.Tensor;

/**
 * A loaded .mnn file. Pixels go in through MNN's own conversion, which also reaches tensors that
 * live on a graphics processor or in another order of axes.
 */
final class MnnBackend implements Backend {
    private static final int FORMAT_RGB = 1; // three bytes in the order they come
    private static final int FORMAT_GRAY = 3;
    private static final int FILTER_NEAREST = 0;
    private static final int WRAP_CLAMP = 0;
    private static final float[] IDENTITY = {1, 0, 0, 0, 1, 0, 0, 0, 1};

    private final Artifact artifact;
    private final PreprocessSpec preprocess;
    private final float[] mean = new float[3];
    private final float[] normal = new float[3];
    private final long[] outputs;
    private long net;
    private long session;
    private long input;
    private String description = "";

    MnnBackend(byte[] model, Artifact artifact, PreprocessSpec preprocess)
            throws BackendException {
        this.artifact = artifact;
        this.preprocess = preprocess;
        this.outputs = new long[artifact.outputs().size()];
        // (pixel * rescale - mean) / std as MNN's (pixel - mean) * normal.
        double rescale = preprocess.rescaleFactor();
        for (int channel = 0; channel < preprocess.imageMean().length; channel++) {
            mean[channel] = (float) (preprocess.imageMean()[channel] / rescale);
            normal[channel] = (float) (rescale / preprocess.imageStd()[channel]);
        }
        net = MNNNetNative.nativeCreateNetFromBuffer(model);
        if (net == 0) {
            throw new BackendException("MNN cannot read the model", null);
        }
    }

    void start(int forwardType, int threads, String shown) throws BackendException {
        description = shown;
        session = MNNNetNative.nativeCreateSession(net, forwardType, threads, null, null);
        if (session == 0) {
            throw new BackendException("MNN cannot start on the chosen device", null);
        }
        input =
                MNNNetNative.nativeGetSessionInput(
                        net, session, fileName(artifact.inputs().get(0)));
        boolean isComplete = input != 0;
        for (int i = 0; i < outputs.length; i++) {
            String name = fileName(artifact.outputs().get(i));
            outputs[i] = MNNNetNative.nativeGetSessionOutput(net, session, name);
            isComplete &= outputs[i] != 0;
        }
        if (!isComplete) {
            throw new BackendException("the model lacks an input or output", null);
        }
    }

    private static String fileName(TensorSpec spec) {
        return spec.artifactName() != null ? spec.artifactName() : spec.name();
    }

    int[] outputShape(TensorSpec output) {
        return MNNNetNative.nativeTensorGetDimensions(outputs[artifact.outputs().indexOf(output)]);
    }

    @Override
    public void run(List<Tensor> filled, List<Tensor> wanted) throws BackendException {
        // The pixels come in the model's order of channels: MNN only scales them.
        int format = preprocess.channelOrder() == ChannelOrder.GRAY ? FORMAT_GRAY : FORMAT_RGB;
        boolean isConverted =
                MNNNetNative.nativeConvertBufferToTensor(
                        filled.get(0).bytes(),
                        preprocess.width(),
                        preprocess.height(),
                        input,
                        format,
                        format,
                        FILTER_NEAREST,
                        WRAP_CLAMP,
                        IDENTITY,
                        mean,
                        normal);
        if (!isConverted) {
            throw new BackendException("MNN did not take the picture", null);
        }
        int code = MNNNetNative.nativeRunSession(net, session);
        if (code != 0) {
            throw new BackendException("MNN failed with code " + code, null);
        }
        for (int i = 0; i < outputs.length; i++) {
            if (MNNNetNative.nativeTensorGetData(outputs[i], wanted.get(i).floats()) == 0) {
                throw new BackendException("MNN did not give an output", null);
            }
        }
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public void close() {
        if (session != 0) {
            MNNNetNative.nativeReleaseSession(net, session);
            session = 0;
        }
        if (net != 0) {
            MNNNetNative.nativeReleaseNet(net);
            net = 0;
        }
    }
}

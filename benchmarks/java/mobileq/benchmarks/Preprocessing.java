package mobileq.benchmarks;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.image.FrameToTensor;
import mobileq.core.image.Letterbox;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.Interpolation;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.ResizeMode;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** A camera's frame, 640 x 480 and turned by 90 degrees, into a float tensor. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Preprocessing {
    /** Of the model's input, pixels. */
    @Param({"224", "640"})
    public int side;

    /** How the frame is fitted, as the manifest writes it. */
    @Param({"LETTERBOX", "CENTER_CROP"})
    public ResizeMode mode;

    /** How pixels are made. */
    @Param({"BILINEAR", "BICUBIC"})
    public Interpolation interpolation;

    /** Whether all pixels count. */
    @Param({"false", "true"})
    public boolean antialias;

    private final Frame frame = new Frame();
    private FrameToTensor frameToTensor;

    @Setup
    public void draw() throws BundleException {
        frame.pixels = new byte[4 * 640 * 480];
        new Random(1).nextBytes(frame.pixels);
        frame.describe(640, 480, 4 * 640, 90);
        PreprocessSpec spec =
                new PreprocessSpec(
                        side,
                        side,
                        mode,
                        114,
                        ChannelOrder.RGB,
                        1 / 255.0,
                        new double[3],
                        new double[] {1, 1, 1},
                        Layout.NHWC,
                        interpolation,
                        antialias,
                        side * 8 / 7);
        int[] shape = {1, side, side, 3};
        TensorSpec input =
                new TensorSpec("image", shape, "float32", Layout.NHWC, null, null, null);
        frameToTensor = new FrameToTensor(spec, new Tensor(input), false);
    }

    @Benchmark
    public Letterbox fill() {
        return frameToTensor.fill(frame);
    }
}

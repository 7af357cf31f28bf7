package mobileq.benchmarks;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import mobileq.core.BundleException;
import mobileq.core.detect.Detections;
import mobileq.core.detect.Postprocessor;
import mobileq.core.detect.Thresholds;
import mobileq.core.detect.decode.Heads;
import mobileq.core.image.Frame;
import mobileq.core.image.Letterbox;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.QuantParams;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.manifest.decode.HeadOutput;
import mobileq.core.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Decoding and suppression of one scene, by the app's core and as the usual sample app does it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Postprocessing {
    private Core coreFloat;
    private Core coreRawInt8;
    private SampleApp sampleApp;
    private float[][] rows;
    private final List<SampleApp.RawOutput> rawOutputs = new ArrayList<>();
    private int classCount;

    @Setup
    public void read() throws IOException, BundleException {
        Path folder = Path.of(System.getProperty("scene"));
        coreFloat = new Core(folder.resolve("float"));
        coreRawInt8 = new Core(folder.resolve("raw-int8"));
        DecodeSpec raw = coreRawInt8.decode;
        classCount = raw.classCount();
        sampleApp =
                new SampleApp((float) raw.scoreThreshold(), (float) raw.iouThreshold());
        float[] values = coreFloat.tensors.get(0).floats();
        rows = new float[values.length / (5 + classCount)][5 + classCount];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(values, i * rows[i].length, rows[i], 0, rows[i].length);
        }
        for (int level = 0; level < raw.strides().length; level++) {
            Tensor tensor = coreRawInt8.tensors.get(level);
            QuantParams quant = tensor.spec().quant();
            HeadOutput output = raw.outputs().get(level);
            int stride = output.stride();
            rawOutputs.add(
                    new SampleApp.RawOutput(
                            tensor.bytes(),
                            quant.scale()[0],
                            quant.zeroPoint()[0],
                            stride,
                            coreRawInt8.letterbox.width() / stride,
                            raw.anchors()[level]));
        }
        int expected = coreFloat.detect().count();
        checkCount("core, raw int8", expected, coreRawInt8.detect().count());
        checkCount("sample, float", expected, sampleFloat().size());
        checkCount("sample, raw int8", expected, sampleRawInt8().size());
    }

    private static void checkCount(String which, int expected, int found) {
        if (found != expected || found == 0) {
            throw new IllegalStateException(which + ": " + found + " detections, not " + expected);
        }
    }

    @Benchmark
    public Detections coreFloat() {
        return coreFloat.detect();
    }

    @Benchmark
    public Detections coreRawInt8() {
        return coreRawInt8.detect();
    }

    @Benchmark
    public List<SampleApp.Recognition> sampleFloat() {
        return sampleApp.detect(rows);
    }

    @Benchmark
    public List<SampleApp.Recognition> sampleRawInt8() {
        return sampleApp.detect(rawOutputs, classCount);
    }

    /** The core as a detector uses it, on outputs that are there already. */
    private static final class Core {
        final List<Tensor> tensors = new ArrayList<>();
        final DecodeSpec decode;
        final Letterbox letterbox;
        private final Frame frame = new Frame();
        private final Detections found = new Detections();
        private final Thresholds thresholds;
        private final Postprocessor postprocessor;

        Core(Path folder) throws IOException, BundleException {
            Manifest manifest =
                    Manifest.parse(Files.readString(folder.resolve(Manifest.FILE_NAME)));
            Artifact artifact = manifest.artifacts().get(0);
            decode = manifest.decodeOf(artifact);
            thresholds = Thresholds.display(decode);
            Map<String, Tensor> byName = new HashMap<>();
            for (TensorSpec spec : artifact.outputs()) {
                Tensor tensor = new Tensor(spec);
                byte[] stored =
                        Files.readAllBytes(folder.resolve("output-" + tensors.size() + ".bin"));
                tensor.readFrom(ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN));
                tensors.add(tensor);
                byName.put(spec.name(), tensor);
            }
            int width = manifest.model().preprocess().width();
            int height = manifest.model().preprocess().height();
            postprocessor = new Postprocessor(Heads.create(decode, width, height, byName));
            frame.pixels = new byte[4 * width * height];
            frame.describe(width, height, 4 * width, 0);
            letterbox = Letterbox.fit(width, height, manifest.model().preprocess(), 0);
        }

        Detections detect() {
            postprocessor.run(letterbox, frame, thresholds, found);
            return found;
        }
    }
}

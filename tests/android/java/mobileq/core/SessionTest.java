package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;
import mobileq.core.image.Frame;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.run.Accelerator;
import mobileq.core.run.AcceleratorFallback;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Session;
import mobileq.core.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SessionTest {
    /** Logs what is opened, run and closed, and fails where it is told to. */
    private static final class FakeRuntime implements ModelRuntime {
        final List<String> log = new ArrayList<>();
        boolean gpuStarts = true;
        int gpuRuns = Integer.MAX_VALUE;
        boolean cpuRuns = true;

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
            return true;
        }

        @Override
        public Backend open(
                Artifact artifact,
                PreprocessSpec preprocess,
                Pipeline pipeline,
                Accelerator accelerator,
                int threads)
                throws BackendException {
            log.add("open " + accelerator + " " + threads);
            if (accelerator == Accelerator.GPU && !gpuStarts) {
                throw new BackendException("no driver", null);
            }
            return new Backend() {
                @Override
                public void run(List<Tensor> inputs, List<Tensor> outputs)
                        throws BackendException {
                    boolean runs = accelerator == Accelerator.GPU ? gpuRuns-- > 0 : cpuRuns;
                    if (!runs) {
                        throw new BackendException("lost", null);
                    }
                    log.add("run " + accelerator);
                }

                @Override
                public String description() {
                    return "fake " + accelerator;
                }

                @Override
                public void close() {
                    log.add("close " + accelerator);
                }
            };
        }
    }

    private final FakeRuntime runtime = new FakeRuntime();
    private final Frame frame = new Frame();
    private Artifact artifact;
    private Session session;

    @BeforeEach
    void open() throws Exception {
        Path path = Path.of(System.getProperty("golden"), "yolov8-int8-0", Manifest.FILE_NAME);
        Manifest manifest =
                Manifest.parse(new String(Files.readAllBytes(path), StandardCharsets.UTF_8));
        artifact = manifest.artifacts().get(0);
        frame.pixels = new byte[4 * 8 * 6];
        frame.describe(8, 6, 32, 0);
        session = session(manifest);
    }

    private Session session(Manifest manifest) {
        AcceleratorFallback.Notes notes =
                new AcceleratorFallback.Notes() {
                    @Override
                    public String read() {
                        return null;
                    }

                    @Override
                    public void write(String text) {}
                };
        List<ModelRuntime> runtimes = new ArrayList<>();
        runtimes.add(runtime);
        Detection detection = new Detection(Thresholds.display(0.25f, 0.45f));
        return new Session(manifest, detection, runtimes, new AcceleratorFallback(notes));
    }

    private void analyze() throws BundleException {
        session.analyze(frame);
    }

    @Test
    void whatIsChosenRunsAndTheOldIsClosed() throws Exception {
        session.choose(artifact, Accelerator.GPU, 4);
        analyze();
        analyze();
        assertEquals(2, session.latency().count());
        assertEquals("fake GPU", session.description());
        session.choose(artifact, Accelerator.CPU, 2);
        analyze();
        assertEquals(1, session.latency().count());
        session.close();
        assertEquals(
                List.of("open GPU 4", "run GPU", "run GPU", "close GPU", "open CPU 2", "run CPU",
                        "close CPU"),
                runtime.log);
    }

    @Test
    void aGpuThatDoesNotStartOrStopsRunningIsReplacedWithinTheFrame() throws Exception {
        runtime.gpuStarts = false;
        session.choose(artifact, Accelerator.GPU, 4);
        analyze();
        assertEquals("fake CPU", session.description());
        assertTrue(session.fallbackReason().contains("no driver"), session.fallbackReason());

        runtime.gpuStarts = true;
        runtime.gpuRuns = 1;
        session.choose(artifact, Accelerator.GPU, 4);
        analyze();
        analyze();
        assertEquals("fake CPU", session.description());
        assertTrue(session.fallbackReason().contains("lost"), session.fallbackReason());
    }

    @Test
    void whatDoesNotRunAtAllIsOneSentenceUntilSomethingElseIsChosen() throws Exception {
        runtime.cpuRuns = false;
        session.choose(artifact, Accelerator.CPU, 1);
        BundleException first = assertThrows(BundleException.class, this::analyze);
        assertEquals("tflite-int8 does not run: lost.", first.getMessage());
        assertSame(first, assertThrows(BundleException.class, this::analyze));
        assertEquals(List.of("open CPU 1", "close CPU"), runtime.log);
        runtime.cpuRuns = true;
        session.choose(artifact, Accelerator.CPU, 1);
        analyze();
    }

    @Test
    void aTargetWithoutARuntimeIsASentence() throws Exception {
        Path path = Path.of(System.getProperty("golden"), "yolov8-int8-0", Manifest.FILE_NAME);
        String text = new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
        Manifest manifest = Manifest.parse(text.replace("\"tflite\"", "\"mnn\""));
        session = session(manifest);
        session.choose(manifest.artifacts().get(0), Accelerator.CPU, 1);
        BundleException error = assertThrows(BundleException.class, this::analyze);
        assertEquals("This app was made without a runtime for mnn-int8.", error.getMessage());
    }
}

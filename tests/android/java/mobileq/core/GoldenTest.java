package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import mobileq.core.classify.Classification;
import mobileq.core.classify.TopClasses;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Detections;
import mobileq.core.detect.Thresholds;
import mobileq.core.image.Frame;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.Backend;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Task;
import mobileq.core.run.Times;
import mobileq.core.tensor.Tensor;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Holds the core against what Python made of the same frames: one folder per case. */
class GoldenTest {
    private static final double PIXELS = 0.01;
    private static final double SCORE = 1e-6;

    @TestFactory
    Stream<DynamicTest> sameAsPython() throws Exception {
        return forEachCase(
                golden -> {
                    // A first, other frame leaves traces where something is not filled anew.
                    Frame other = new Frame();
                    other.pixels = new byte[4 * 37 * 21];
                    other.describe(37, 21, 4 * 37, 90);
                    golden.analyze(other);
                    golden.analyze(golden.frame);
                    Tensor input = golden.pipeline.inputs().get(0);
                    ByteBuffer written = buffer(input.byteSize());
                    input.writeTo(written);
                    assertArrayEquals(
                            Files.readAllBytes(golden.folder.resolve("input.bin")),
                            written.array(),
                            "input tensor");
                    golden.answer.compareWith(golden.wanted);
                });
    }

    /** On a JVM without its last compiler, which would hide objects that Android's makes. */
    @TestFactory
    Stream<DynamicTest> aFurtherFrameAllocatesNothing() throws Exception {
        ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        return forEachCase(
                golden -> {
                    golden.analyze(golden.frame);
                    golden.analyze(golden.frame);
                    long least = Long.MAX_VALUE;
                    for (int i = 0; i < 3; i++) { // the JVM itself may allocate once
                        long before = memory.getThreadAllocatedBytes(thread);
                        golden.analyze(golden.frame);
                        long after = memory.getThreadAllocatedBytes(thread);
                        least = Math.min(least, after - before);
                    }
                    assertEquals(0, least, "bytes");
                });
    }

    private interface Check {
        void of(Case golden) throws Exception;
    }

    private static Stream<DynamicTest> forEachCase(Check check) throws Exception {
        List<Path> cases = new ArrayList<>();
        try (Stream<Path> folders = Files.list(Path.of(System.getProperty("golden")))) {
            folders.filter(Files::isDirectory).sorted().forEach(cases::add);
        }
        assertTrue(!cases.isEmpty(), "there are no golden cases");
        return cases.stream()
                .map(
                        path ->
                                DynamicTest.dynamicTest(
                                        path.getFileName().toString(),
                                        () -> check.of(new Case(path))));
    }

    /** A task's answer to the latest frame. */
    private interface Answer {
        void compareWith(Fields wanted) throws Exception;
    }

    /** What Python wrote of one frame, and the pipeline that is to do the same. */
    private static final class Case {
        final Path folder;
        final Fields wanted;
        final Pipeline pipeline;
        final Frame frame;
        final Answer answer;
        private final Times times = new Times();
        private final Recorded recorded;

        Case(Path folder) throws Exception {
            this.folder = folder;
            wanted = Fields.of(JsonReader.read(text(folder, "case.json")));
            Manifest manifest = Manifest.parse(text(folder, Manifest.FILE_NAME));
            Artifact artifact = manifest.artifacts().get(wanted.integer("artifact"));
            Task task;
            switch (manifest.model().task()) {
                case "detect":
                    Detection detection =
                            new Detection(
                                    wanted.flag("evaluation", false)
                                            ? Thresholds.evaluation()
                                            : Thresholds.display(manifest.decodeOf(artifact)));
                    task = detection;
                    answer = said -> compare(said, detection.found());
                    break;
                case "classify":
                    Classification classification = new Classification();
                    task = classification;
                    answer = said -> compare(said, classification.best());
                    break;
                default:
                    throw new AssertionError(manifest.model().task());
            }
            pipeline = new Pipeline(manifest, artifact, task);
            frame = frame(folder, wanted);
            recorded = new Recorded(folder, pipeline);
        }

        void analyze(Frame picture) throws Exception {
            pipeline.analyze(picture, recorded, times);
        }
    }

    private static void compare(Fields wanted, List<TopClasses> best) throws Exception {
        double[][][] heads = wanted.nestedNumbers("classes");
        assertEquals(heads.length, best.size());
        for (int head = 0; head < heads.length; head++) {
            double[][] classes = heads[head];
            assertEquals(classes.length, best.get(head).count());
            for (int rank = 0; rank < classes.length; rank++) {
                String which = "head " + head + ", rank " + rank;
                assertEquals((int) classes[rank][0], best.get(head).classId(rank), which);
                assertEquals(classes[rank][1], best.get(head).score(rank), SCORE, which);
            }
        }
    }

    private static void compare(Fields wanted, Detections found) throws Exception {
        double[][][] rows = wanted.nestedNumbers("detections");
        double[][] detections = rows[0];
        StringBuilder listed = new StringBuilder();
        for (int i = 0; i < found.count(); i++) {
            listed.append(found.classId(i)).append(' ').append(found.score(i)).append(' ');
        }
        assertEquals(detections.length, found.count(), listed.toString());
        for (int i = 0; i < detections.length; i++) {
            String which = "detection " + i;
            assertEquals((int) detections[i][5], found.classId(i), which);
            assertEquals(detections[i][4], found.score(i), SCORE, which);
            assertEquals(detections[i][0], found.left(i), PIXELS, which);
            assertEquals(detections[i][1], found.top(i), PIXELS, which);
            assertEquals(detections[i][2], found.right(i), PIXELS, which);
            assertEquals(detections[i][3], found.bottom(i), PIXELS, which);
        }
    }

    private static Frame frame(Path folder, Fields wanted) throws Exception {
        Frame frame = new Frame();
        frame.pixels = Files.readAllBytes(folder.resolve("frame.bin"));
        frame.describe(
                wanted.integer("width"),
                wanted.integer("height"),
                wanted.integer("row_stride"),
                wanted.integer("rotation"));
        int[] crop = wanted.integers("crop");
        frame.crop(crop[0], crop[1], crop[2], crop[3]);
        return frame;
    }

    private static String text(Path folder, String name) throws Exception {
        return new String(Files.readAllBytes(folder.resolve(name)), StandardCharsets.UTF_8);
    }

    private static ByteBuffer buffer(int length) {
        return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Gives the outputs that Python decoded, by way of buffers as a runtime does. */
    private static final class Recorded implements Backend {
        private final ByteBuffer[] inputs;
        private final ByteBuffer[] outputs;

        Recorded(Path folder, Pipeline pipeline) throws Exception {
            inputs = new ByteBuffer[pipeline.inputs().size()];
            for (int i = 0; i < inputs.length; i++) {
                inputs[i] = buffer(pipeline.inputs().get(i).byteSize());
            }
            outputs = new ByteBuffer[pipeline.outputs().size()];
            for (int i = 0; i < outputs.length; i++) {
                outputs[i] = buffer(pipeline.outputs().get(i).byteSize());
                outputs[i].put(Files.readAllBytes(folder.resolve("output-" + i + ".bin")));
            }
        }

        @Override
        public void run(List<Tensor> filled, List<Tensor> wanted) {
            for (int i = 0; i < inputs.length; i++) {
                filled.get(i).writeTo(inputs[i]);
            }
            for (int i = 0; i < outputs.length; i++) {
                wanted.get(i).readFrom(outputs[i]);
            }
        }

        @Override
        public String description() {
            return "recorded";
        }

        @Override
        public void close() {}
    }
}

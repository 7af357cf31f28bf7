package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.zip.GZIPOutputStream;
import mobileq.core.check.Difference;
import mobileq.core.check.SelfCheck;
import mobileq.core.check.Verdict;
import mobileq.core.classify.Classification;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Backend;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.ModelSource;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Task;
import mobileq.core.tensor.Tensor;
import org.junit.jupiter.api.Test;

class SelfCheckTest {
    /** Outputs that Python wrote; on all but the CPU some other values. */
    private static final class Runtime implements ModelRuntime {
        final Path folder;
        final List<Accelerator> ran = new ArrayList<>();
        DoubleUnaryOperator onGpu = value -> value;
        boolean isBroken;

        Runtime(Path folder) {
            this.folder = folder;
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
            return true;
        }

        @Override
        public Backend open(
                Artifact artifact,
                PreprocessSpec preprocess,
                Pipeline pipeline,
                Accelerator accelerator,
                int threads) {
            return new Backend() {
                @Override
                public void run(List<Tensor> inputs, List<Tensor> outputs) {
                    ran.add(accelerator);
                    if (isBroken) {
                        throw new IllegalStateException("lost");
                    }
                    for (int i = 0; i < outputs.size(); i++) {
                        outputs.get(i).readFrom(output(i, accelerator));
                    }
                }

                @Override
                public String description() {
                    return "recorded";
                }

                @Override
                public void close() {}
            };
        }

        private ByteBuffer output(int index, Accelerator accelerator) {
            byte[] bytes = bytes(folder.resolve("output-" + index + ".bin"));
            ByteBuffer values = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            if (accelerator != Accelerator.CPU) {
                for (int at = 0; at < bytes.length; at += 4) {
                    values.putFloat(at, (float) onGpu.applyAsDouble(values.getFloat(at)));
                }
            }
            values.position(bytes.length);
            return values;
        }
    }

    private static final class Notes implements SelfCheck.Notes {
        final Map<String, String> kept = new HashMap<>();
        final List<String> written = new ArrayList<>();

        @Override
        public String read(String name) {
            return kept.get(name);
        }

        @Override
        public void write(String name, String text) {
            kept.put(name, text);
            written.add(text);
        }
    }

    /** One model, and the frame in its bundle. */
    private static final class Phone {
        final Runtime runtime;
        final Notes notes = new Notes();
        final Map<String, byte[]> bundle = new HashMap<>();
        final Manifest manifest;
        final Artifact artifact;
        final Task task;

        Phone(String name) throws BundleException {
            runtime = new Runtime(Path.of(System.getProperty("golden"), name));
            String text = text(bytes(runtime.folder.resolve(Manifest.FILE_NAME)));
            boolean isFloat = name.contains("float32");
            manifest = Manifest.parse(isFloat ? text.replace("\"int8\"", "\"fp32\"") : text);
            artifact = manifest.artifacts().get(0);
            boolean isDetector = manifest.model().task().equals("detect");
            task =
                    isDetector
                            ? new Detection(Thresholds.display(0.9f, 0.1f))
                            : new Classification();
            byte[] pixels = new byte[4 * 80 * 60];
            bundle.put("golden/frame.rgba.gz", zipped(pixels));
            answer("");
        }

        final void answer(String members) {
            String text =
                    "{\"width\": 80, \"height\": 60, \"frame\": \"frame.rgba.gz\"" + members + "}";
            bundle.put("golden/golden.json", text.getBytes(StandardCharsets.UTF_8));
        }

        SelfCheck check() {
            ModelSource source =
                    new ModelSource() {
                        @Override
                        public ByteBuffer map(Artifact wanted) {
                            throw new UnsupportedOperationException();
                        }

                        @Override
                        public InputStream open(String path) throws IOException {
                            if (!bundle.containsKey(path)) {
                                throw new IOException("there is no " + path);
                            }
                            return new ByteArrayInputStream(bundle.get(path));
                        }
                    };
            return new SelfCheck(manifest, task, source, notes);
        }

        Verdict verdict(SelfCheck check, Accelerator accelerator) throws Exception {
            Pipeline pipeline = new Pipeline(manifest, artifact, task);
            PreprocessSpec preprocess = manifest.model().preprocess();
            try (Backend backend = runtime.open(artifact, preprocess, pipeline, accelerator, 4)) {
                return check.of(artifact, accelerator, backend, runtime, 4);
            }
        }

        Verdict gpu() throws Exception {
            return verdict(check(), Accelerator.GPU);
        }

        Verdict cpu() throws Exception {
            return verdict(check(), Accelerator.CPU);
        }
    }

    private static byte[] bytes(Path path) {
        try {
            return Files.readAllBytes(path);
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] zipped(byte[] content) {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream stream = new GZIPOutputStream(packed)) {
            stream.write(content);
        } catch (IOException error) {
            throw new AssertionError(error);
        }
        return packed.toByteArray();
    }

    @Test
    void aGpuThatAnswersAsTheCpuIsGoodAndNotCheckedAgain() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        Verdict first = phone.gpu();
        assertTrue(first.isGood());
        assertEquals(new Difference(0, 0, 0), first.difference());
        assertEquals(List.of(Accelerator.CPU, Accelerator.GPU), phone.runtime.ran);
        assertEquals(List.of("checking", "0 0 0.0000"), phone.notes.written);
        assertEquals(first, phone.gpu());
        assertEquals(2, phone.runtime.ran.size());
    }

    @Test
    void halfPrecisionIsNoDifference() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        phone.runtime.onGpu = value -> value * (1 + Math.scalb(1, -10));
        Verdict found = phone.gpu();
        assertTrue(found.isGood(), found.toString());
        assertTrue(found.difference().score() > 0);
    }

    @Test
    void aGpuThatScalesItsOutputsDiffersAndThatIsRemembered() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        phone.runtime.onGpu = value -> value / 2;
        Verdict found = phone.gpu();
        assertFalse(found.isGood());
        assertTrue(found.difference().missing() > 0, found.toString());
        assertEquals(found.difference().missing(), phone.gpu().difference().missing());
        assertEquals(2, phone.runtime.ran.size());
    }

    @Test
    void outputsThatAreNoNumbersLackEveryObject() throws Exception {
        for (String model : new String[] {"yolov8-float32-0", "classes-logits-float32-0"}) {
            Phone phone = new Phone(model);
            phone.runtime.onGpu = value -> Double.NaN;
            Difference found = phone.gpu().difference();
            assertTrue(found.missing() > 0, model + found);
            assertFalse(found.isNone());
        }
    }

    @Test
    void aBundleWhoseFrameGradleUnpackedIsTheSame() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        phone.bundle.remove("golden/frame.rgba.gz");
        phone.bundle.put("golden/frame.rgba", new byte[4 * 80 * 60]);
        assertTrue(phone.gpu().isGood());
    }

    @Test
    void withoutAFrameOrWithABrokenOneNothingIsSaid() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        phone.bundle.clear();
        assertNull(phone.gpu());
        Phone broken = new Phone("yolov8-float32-0");
        broken.bundle.put("golden/frame.rgba.gz", zipped(new byte[7]));
        assertNull(broken.gpu());
        assertNull(broken.gpu());
        Phone failing = new Phone("yolov8-float32-0");
        failing.runtime.isBroken = true;
        assertNull(failing.gpu());
        assertEquals(List.of("checking", "unchecked"), failing.notes.written);
    }

    @Test
    void aCheckThatEndedTheAppIsToldAndRepeatedWhereAPersonAsksOnly() throws Exception {
        Phone phone = new Phone("yolov8-float32-0");
        phone.notes.kept.put("GPU " + phone.artifact.sha256(), "checking");
        Verdict ended = phone.gpu();
        assertNull(ended.difference());
        assertFalse(ended.isGood());
        assertEquals(List.of(), phone.runtime.ran);
        SelfCheck again = phone.check();
        again.forgive();
        assertTrue(phone.verdict(again, Accelerator.GPU).isGood());
    }

    /** What Python found. */
    private static Fields wanted(Phone phone) throws BundleException {
        return Fields.of(JsonReader.read(text(bytes(phone.runtime.folder.resolve("case.json")))));
    }

    /** The boxes that Python found, with other scores: what golden.json says. */
    private static String detections(Phone phone, DoubleUnaryOperator score, String more)
            throws BundleException {
        double[][] rows = wanted(phone).nestedNumbers("detections")[0];
        List<String> objects = new ArrayList<>();
        for (double[] row : rows) {
            objects.add(object(row, score.applyAsDouble(row[4])));
        }
        if (!more.isEmpty()) {
            objects.add(more);
        }
        return ", \"detections\": [" + String.join(", ", objects) + "]";
    }

    private static String object(double[] row, double score) {
        return String.format(
                Locale.ROOT,
                "{\"xyxy\": [%f, %f, %f, %f], \"score\": %f, \"class_id\": %d}",
                row[0], row[1], row[2], row[3], score, (int) row[5]);
    }

    @Test
    void theCpuIsHeldAgainstTheFloatModelWhereTheFileIsOneToo() throws Exception {
        Phone same = new Phone("yolov8-float32-0");
        same.answer(detections(same, score -> score, ""));
        assertTrue(same.cpu().isGood());
        assertEquals(List.of(Accelerator.CPU), same.runtime.ran);
        Phone off = new Phone("yolov8-float32-0");
        off.answer(detections(off, score -> score - 0.2, ""));
        assertEquals(0.2, off.cpu().difference().score(), 0.001);
        Phone integers = new Phone("yolov8-int8-0");
        integers.answer(detections(integers, score -> score, ""));
        assertNull(integers.cpu());
        assertEquals(List.of(), integers.notes.written);
    }

    @Test
    void anObjectNearTheThresholdThatOneAloneFindsDoesNotCount() throws Exception {
        double[] apart = {70, 50, 79, 59, 0, 3};
        for (double score : new double[] {0.26, 0.34, 0.36}) {
            Phone phone = new Phone("yolov8-float32-0");
            phone.answer(detections(phone, same -> same, object(apart, score)));
            assertEquals(score < 0.35 ? 0 : 1, phone.cpu().difference().missing());
        }
    }

    @Test
    void anotherBestClassIsTold() throws Exception {
        Phone phone = new Phone("classes-logits-float32-0");
        assertTrue(phone.gpu().isGood());
        Phone other = new Phone("classes-logits-float32-0");
        other.runtime.onGpu = value -> -value;
        assertEquals(1, other.gpu().difference().missing());
    }

    @Test
    void theFloatModelsClassesAreThoseOfEveryHead() throws Exception {
        Phone phone = new Phone("heads-float32-0");
        List<String> told = new ArrayList<>();
        for (double[][] head : wanted(phone).nestedNumbers("classes")) {
            for (double[] each : head) {
                told.add(
                        String.format(
                                Locale.ROOT,
                                "{\"class_id\": %d, \"score\": %f}",
                                (int) each[0], each[1]));
            }
        }
        phone.answer(", \"classes\": [[" + String.join(", ", told) + "]]");
        Verdict verdict = phone.cpu();
        assertTrue(verdict.isGood(), verdict.toString());
        assertEquals(0, verdict.difference().score(), 1e-4);
    }
}

package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.Pipeline;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Changes one place of a manifest that Python wrote. */
class ManifestTest {
    private static String written() throws Exception {
        return written("yolov8-raw-int8-0");
    }

    private static String written(String golden) throws Exception {
        Path path = Path.of(System.getProperty("golden"), golden, Manifest.FILE_NAME);
        return new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    }

    private static Pipeline pipeline(Manifest manifest) throws BundleException {
        Detection detection = new Detection(Thresholds.evaluation());
        return new Pipeline(manifest, manifest.artifacts().get(0), detection);
    }

    @Test
    void readsWhatPythonWrote() throws Exception {
        Manifest manifest = Manifest.parse(written());
        assertEquals("tflite-int8", manifest.artifacts().get(0).name());
        assertEquals("dog", manifest.model().label(1));
        assertEquals("7", manifest.model().label(7));
        assertEquals("raw", manifest.decodeOf(manifest.artifacts().get(0)).head().toString());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"task\": \"detect\" | \"task\": \"detect\", \"new\": 1 | model.new",
                "\"task\": \"detect\" | \"task\": 7 | model.task",
                "\"task\": \"detect\" | \"task\": null | model.task",
                "\"class_count\": 7 | \"class_count\": 0 | class_count",
                "\"class_count\": 7 | \"class_count\": \"7\" | class_count",
                "\"class_count\": 7 | \"class_count\": 1000000000 | class_count",
                "\"reg_max\": 16 | \"reg_max\": -16 | reg_max",
                "\"reg_max\": 16 | \"reg_max\": 1000000000 | reg_max",
                "\"centre_offset\": null | \"centre_offset\": 1.5 | centre_offset",
                "\"score_threshold\": 0 | \"score_threshold\": 7 | score_threshold",
                "\"iou_threshold\": 0 | \"iou_threshold\": -1 | iou_threshold",
                "\"strides\": [ | \"strides\": [2147483647, | strides",
                "\"shape\": [ | \"shape\": [200000000, | shape",
                "\"height\": 64, | \"height\": 2000000000, | width",
                "\"resize_mode\": \" | \"resize_mode\": \"un | resize_mode",
                "\"pad_value\": 114 | \"pad_value\": 256 | pad_value",
                "\"shortest_edge\": null | \"shortest_edge\": 63.5 | shortest_edge",
                "\"antialias\": false | \"antialias\": 0 | antialias",
                "\"bilinear\" | \"nearest\" | interpolation",
                "\"schema_version\": 3 | \"schema_version\": 4 | newer mobileq",
                "\"opset\": 17 | \"opset\": 17, \"ir\": 3 | source.ir",
                "\"role\": \"class_logits\" | \"role\": \"classes_logits\" | role",
                "\"models/golden-int8.tflite\": { | \"models/other.tflite\": { | not in `files`",
                "\"scale\": [ | \"scale\": [0, | scale",
            })
    void namesWhatIsWrong(String there, String instead, String named) throws Exception {
        String text = written();
        assertTrue(text.contains(there), there);
        String changed = text.replaceFirst(java.util.regex.Pattern.quote(there),
                java.util.regex.Matcher.quoteReplacement(instead));
        BundleException error =
                assertThrows(BundleException.class, () -> Manifest.parse(changed));
        assertTrue(error.getMessage().startsWith("manifest.json cannot be used: "));
        assertTrue(error.getMessage().contains(named), error.getMessage());
    }

    @ParameterizedTest
    @ValueSource(ints = {223, 16385})
    void cropOfMoreThanTheResizedPictureIsRefused(int edge) throws Exception {
        String changed =
                written("center_crop-antialiased-bilinear-640-90")
                        .replace("\"shortest_edge\": 256", "\"shortest_edge\": " + edge);
        BundleException error =
                assertThrows(BundleException.class, () -> Manifest.parse(changed));
        assertTrue(error.getMessage().contains("shortest_edge"), error.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"image_std\": \\[\\s*", "\"rescale_factor\": "})
    void whatDividesOrScalesIsNotZero(String before) throws Exception {
        String changed = written().replaceFirst("(" + before + ")[0-9.e-]+", "$10");
        BundleException error =
                assertThrows(BundleException.class, () -> Manifest.parse(changed));
        assertTrue(error.getMessage().contains("is not positive"), error.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"class_count\": 7 | \"class_count\": 8 | no axis holds the 8 values",
                "\"reg_max\": 16 | \"reg_max\": 8 | no axis holds the 32 values",
                "\"name\": \"box16\", | \"name\": \"box17\", | 'box17' is missing",
                "\"height\": 64, | \"height\": 96, | where the preprocessing makes",
                "\"dtype\": \"int8\" | \"dtype\": \"complex64\" | complex64, which is not supported",
                "\"role\": \"class_logits\", | \"role\": \"count\", | not 0",
            })
    void aHeadThatDoesNotFitIsASentence(String there, String instead, String named)
            throws Exception {
        String text = written();
        assertTrue(text.contains(there), there);
        String changed = text.replaceFirst(java.util.regex.Pattern.quote(there),
                java.util.regex.Matcher.quoteReplacement(instead));
        Manifest manifest = Manifest.parse(changed);
        BundleException error =
                assertThrows(
                        BundleException.class,
                        () -> pipeline(manifest));
        assertTrue(error.getMessage().contains(named), error.getMessage());
        assertTrue(error.getMessage().endsWith("."), error.getMessage());
    }

    @Test
    void aFileThatIsNotTheManifestsIsASentence() throws Exception {
        Manifest manifest = Manifest.parse(written());
        mobileq.core.tensor.Tensor input = pipeline(manifest).inputs().get(0);
        int[] shape = input.spec().shape();
        float scale = input.spec().quant().scale()[0];
        int zeroPoint = input.spec().quant().zeroPoint()[0];
        Pipeline.check(input, shape, "int8", scale, zeroPoint);
        int[] larger = {1, 3, 320, 320};
        for (Executable differing :
                new Executable[] {
                    () -> Pipeline.check(input, shape, "uint8", scale, zeroPoint),
                    () -> Pipeline.check(input, larger, "int8", scale, zeroPoint),
                    () -> Pipeline.check(input, shape, "int8", scale * 2, zeroPoint),
                    () -> Pipeline.check(input, shape, "int8", scale, zeroPoint + 1),
                    () -> Pipeline.check(input, shape, "int8", 0, 0)
                }) {
            BundleException error = assertThrows(BundleException.class, differing);
            assertTrue(error.getMessage().contains("where the manifest says"));
        }
    }
}

package mobileq.app.litert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.Environment;
import com.google.ai.edge.litert.JniHandle;
import com.google.ai.edge.litert.LiteRtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.BackendException;
import mobileq.core.run.Pipeline;
import mobileq.core.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.tensorflow.lite.Interpreter;

/** What goes in and comes out is what TFLite's interpreter takes and gives for the same file. */
class LitertBackendTest {
    private static final Path BUNDLES = Path.of(System.getProperty("bundles"));

    private final String bundle = "bytes";

    private static Manifest manifest(String bundle) throws Exception {
        return Manifest.parse(Files.readString(BUNDLES.resolve(bundle).resolve("manifest.json")));
    }

    private static Pipeline pipeline(Manifest manifest, int artifact) throws Exception {
        return new Pipeline(
                manifest,
                manifest.artifacts().get(artifact),
                (all, one, outputs) -> (letterbox, frame) -> {});
    }

    private static LitertBackend open(String bundle, Artifact file, Pipeline pipeline)
            throws LiteRtException, BundleException {
        Environment environment = Environment.create(null, null, Collections.emptyMap(), true);
        CompiledModel model =
                CompiledModel.create(
                        BUNDLES.resolve(bundle).resolve(file.path()).toString(),
                        new CompiledModel.Options(Accelerator.CPU),
                        environment);
        try {
            return new LitertBackend(environment, model, pipeline, "CPU");
        } catch (BundleException error) {
            LitertBackend.close(model);
            LitertBackend.close(environment);
            throw error;
        }
    }

    private static ByteBuffer drawn(Tensor input) {
        ByteBuffer content = buffer(input);
        Random numbers = new Random(1);
        while (content.hasRemaining()) {
            if (input.isBytes()) {
                content.put((byte) numbers.nextInt(256));
            } else {
                content.putFloat(numbers.nextFloat());
            }
        }
        content.rewind();
        return content;
    }

    private static ByteBuffer buffer(Tensor tensor) {
        return ByteBuffer.allocateDirect(tensor.byteSize()).order(ByteOrder.nativeOrder());
    }

    private static float[] values(Tensor tensor) {
        float[] values = new float[tensor.spec().elementCount()];
        for (int i = 0; i < values.length; i++) {
            values[i] = tensor.real(i);
        }
        return values;
    }

    private static void check(String bundle, int index) throws Exception {
        Manifest manifest = manifest(bundle);
        Artifact file = manifest.artifacts().get(index);
        Pipeline pipeline = pipeline(manifest, index);
        Tensor input = pipeline.inputs().get(0);
        ByteBuffer content = drawn(input);
        byte[] model = Files.readAllBytes(BUNDLES.resolve(bundle).resolve(file.path()));
        Map<Integer, Object> wanted = new HashMap<>();
        List<Tensor> outputs = pipeline.outputs();
        for (int i = 0; i < outputs.size(); i++) {
            wanted.put(i, buffer(outputs.get(i)));
        }
        ByteBuffer direct = ByteBuffer.allocateDirect(model.length);
        direct.put(model).rewind();
        try (Interpreter interpreter = new Interpreter(direct, new Interpreter.Options())) {
            interpreter.runForMultipleInputsOutputs(new Object[] {content}, wanted);
        }
        content.rewind();
        input.readFrom(content);
        try (LitertBackend backend = open(bundle, file, pipeline)) {
            for (int round = 0; round < 2; round++) {
                backend.run(pipeline.inputs(), outputs);
            }
            assertEquals("LiteRT 2, CPU", backend.description());
        }
        for (int i = 0; i < outputs.size(); i++) {
            Tensor expected = new Tensor(outputs.get(i).spec());
            expected.readFrom((ByteBuffer) wanted.get(i));
            float[] found = values(outputs.get(i));
            assertArrayEquals(values(expected), found);
            float spread = 0;
            for (float value : found) {
                spread = Math.max(spread, Math.abs(value - found[0]));
            }
            assertTrue(spread > 0, outputs.get(i).spec().name());
        }
    }

    @AfterEach
    void nothingIsLeftOpen() {
        assertEquals(0, JniHandle.open);
        assertEquals(0, Interpreter.open);
    }

    @Test
    void floatsAndWideIntegers() throws Exception {
        check("wide", 0);
    }

    @Test
    void floats() throws Exception {
        check(bundle, 0);
    }

    @Test
    void bytes() throws Exception {
        check(bundle, 1);
    }

    @Test
    void fileWithOtherTensorsIsRefused() throws Exception {
        Artifact other = manifest("wide").artifacts().get(0);
        Pipeline pipeline = pipeline(manifest(bundle), 0);
        BundleException error =
                assertThrows(BundleException.class, () -> open("wide", other, pipeline));
        assertTrue(error.getMessage().contains("1 inputs and 3 outputs"), error.getMessage());
    }

    @Test
    void outputOfAnotherLengthIsRefused() throws Exception {
        Manifest manifest = manifest(bundle);
        Pipeline pipeline = pipeline(manifest, 1);
        try (LitertBackend backend = open(bundle, manifest.artifacts().get(0), pipeline)) {
            BackendException error =
                    assertThrows(
                            BackendException.class,
                            () -> backend.run(pipeline.inputs(), pipeline.outputs()));
            assertTrue(error.getMessage().contains("values where the manifest says"));
        }
    }
}

package com.google.ai.edge.litert;

import android.content.res.AssetManager;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;

/** Runs on the interpreter of the tests' TFLite. */
public final class CompiledModel extends JniHandle {
    public static final class CpuOptions {
        public CpuOptions(Integer numThreads, Integer xnnPackFlags, String xnnPackWeightCachePath) {}
    }

    public static final class GpuOptions {
        public enum Precision {
            DEFAULT,
            FP16,
            FP32,
            FP16_WITH_FP32_ACCUM
        }

        public enum BufferStorageType {
            DEFAULT,
            BUFFER,
            TEXTURE_2D
        }

        public enum Backend {
            AUTOMATIC
        }

        public enum Priority {
            DEFAULT
        }

        public final String serializationDir;
        public final String modelCacheKey;
        public final Boolean serializeProgramCache;

        public GpuOptions(
                Boolean constantTensorSharing,
                Boolean infiniteFloatCapping,
                Boolean allowSrcQuantizedFcConvOps,
                Precision precision,
                BufferStorageType bufferStorageType,
                Boolean preferTextureWeights,
                String serializationDir,
                String modelCacheKey,
                Boolean serializeProgramCache,
                Boolean serializeExternalTensors,
                Boolean externalTensorsMode,
                String externalTensorPattern,
                Backend backend,
                Priority priority,
                Integer numStepsOfCommandBufferPreparations) {
            this.serializationDir = serializationDir;
            this.modelCacheKey = modelCacheKey;
            this.serializeProgramCache = serializeProgramCache;
        }
    }

    public static final class Options {
        public Options(Set<? extends Accelerator> accelerators) {}

        public Options(Accelerator... accelerators) {}

        public void setCpuOptions(CpuOptions options) {}

        public void setGpuOptions(GpuOptions options) {}
    }

    private final Interpreter interpreter;

    private CompiledModel(byte[] content) {
        ByteBuffer direct = ByteBuffer.allocateDirect(content.length);
        direct.put(content).rewind();
        interpreter = new Interpreter(direct, new Interpreter.Options());
    }

    public static CompiledModel create(
            AssetManager assetManager, String assetName, Options options, Environment optionalEnv)
            throws LiteRtException {
        try (InputStream stream = assetManager.open(assetName)) {
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            byte[] block = new byte[1 << 16];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                content.write(block, 0, count);
            }
            return new CompiledModel(content.toByteArray());
        } catch (IOException error) {
            throw new LiteRtException(500, "File I/O error");
        }
    }

    public static CompiledModel create(String filePath, Options options, Environment optionalEnv)
            throws LiteRtException {
        try {
            return new CompiledModel(Files.readAllBytes(Paths.get(filePath)));
        } catch (IOException error) {
            throw new LiteRtException(500, "File I/O error");
        }
    }

    public List<TensorBuffer> createInputBuffers() throws LiteRtException {
        List<TensorBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < interpreter.getInputTensorCount(); i++) {
            buffers.add(buffer(interpreter.getInputTensor(i)));
        }
        return buffers;
    }

    public List<TensorBuffer> createOutputBuffers() throws LiteRtException {
        List<TensorBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < interpreter.getOutputTensorCount(); i++) {
            buffers.add(buffer(interpreter.getOutputTensor(i)));
        }
        return buffers;
    }

    private static TensorBuffer buffer(Tensor tensor) {
        int bytes = tensor.dataType().byteSize();
        for (int size : tensor.shape()) {
            bytes *= size;
        }
        return new TensorBuffer(bytes);
    }

    public void run(List<? extends TensorBuffer> inputs, List<? extends TensorBuffer> outputs)
            throws LiteRtException {
        ByteBuffer[] given = new ByteBuffer[inputs.size()];
        for (int i = 0; i < given.length; i++) {
            given[i] = inputs.get(i).memory;
            given[i].rewind();
        }
        Map<Integer, Object> wanted = new HashMap<>();
        for (int i = 0; i < outputs.size(); i++) {
            outputs.get(i).memory.rewind();
            wanted.put(i, outputs.get(i).memory);
        }
        interpreter.runForMultipleInputsOutputs(given, wanted);
    }

    @Override
    protected void destroy() {
        interpreter.close();
    }
}

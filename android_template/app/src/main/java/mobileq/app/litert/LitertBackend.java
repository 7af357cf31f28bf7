package mobileq.app.litert;

import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.Environment;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.Pipeline;
import mobileq.core.tensor.ElementType;
import mobileq.core.tensor.Tensor;

/** A compiled .tflite file. */
final class LitertBackend implements Backend {
    private final Environment environment;
    private final CompiledModel model;
    private final String on;
    private final List<TensorBuffer> inputs;
    private final List<TensorBuffer> outputs;

    /** Of each output of integers that have no bytes of their own: where those are gathered. */
    private final List<ByteBuffer> gathered = new ArrayList<>();

    LitertBackend(Environment environment, CompiledModel model, Pipeline pipeline, String on)
            throws LiteRtException, BundleException {
        this.environment = environment;
        this.model = model;
        this.on = on;
        this.inputs = model.createInputBuffers();
        this.outputs = model.createOutputBuffers();
        try {
            pipeline.check(inputs.size(), outputs.size());
        } catch (BundleException error) {
            closeBuffers();
            throw error;
        }
        for (Tensor output : pipeline.outputs()) {
            boolean isWide = output.type() == ElementType.INT32 || output.type() == ElementType.INT64;
            gathered.add(isWide ? buffer(output) : null);
        }
    }

    private static ByteBuffer buffer(Tensor tensor) {
        return ByteBuffer.allocate(tensor.byteSize()).order(ByteOrder.nativeOrder());
    }

    @Override
    public void run(List<Tensor> filled, List<Tensor> wanted) throws BackendException {
        try {
            for (int i = 0; i < inputs.size(); i++) {
                write(filled.get(i), inputs.get(i));
            }
            model.run(inputs, outputs);
            for (int i = 0; i < outputs.size(); i++) {
                read(outputs.get(i), wanted.get(i), gathered.get(i));
            }
        } catch (LiteRtException | RuntimeException error) {
            throw BackendException.of(error);
        }
    }

    private static void write(Tensor tensor, TensorBuffer buffer) throws LiteRtException {
        if (tensor.isBytes()) {
            buffer.writeInt8(tensor.bytes()); // unsigned ones too: they are copied as they are
        } else if (tensor.type() == ElementType.FLOAT32) {
            buffer.writeFloat(tensor.floats());
        } else {
            throw new IllegalStateException(
                    tensor.spec().name() + " is an input of " + tensor.type());
        }
    }

    private static void read(TensorBuffer buffer, Tensor tensor, ByteBuffer wide)
            throws LiteRtException {
        switch (tensor.type()) {
            case FLOAT32:
                float[] floats = buffer.readFloat();
                copy(floats, floats.length, tensor.floats(), tensor);
                break;
            case INT32:
                int[] ints = buffer.readInt();
                require(ints.length, tensor);
                wide.asIntBuffer().put(ints);
                tensor.readFrom(wide);
                break;
            case INT64:
                long[] longs = buffer.readLong();
                require(longs.length, tensor);
                wide.asLongBuffer().put(longs);
                tensor.readFrom(wide);
                break;
            default:
                byte[] bytes = buffer.readInt8();
                copy(bytes, bytes.length, tensor.bytes(), tensor);
        }
    }

    private static void copy(Object values, int count, Object target, Tensor tensor) {
        require(count, tensor);
        System.arraycopy(values, 0, target, 0, count);
    }

    /** All that can be held against the manifest: Java is told neither shapes nor scales (2.3). */
    private static void require(int count, Tensor tensor) {
        if (count != tensor.spec().elementCount()) {
            throw new IllegalStateException(
                    tensor.spec().name()
                            + " has "
                            + count
                            + " values where the manifest says "
                            + tensor.spec().elementCount());
        }
    }

    @Override
    public String description() {
        return "LiteRT 2, " + on;
    }

    @Override
    public void close() {
        closeBuffers();
        close(model);
        close(environment);
    }

    private void closeBuffers() {
        for (TensorBuffer each : inputs) {
            each.close();
        }
        for (TensorBuffer each : outputs) {
            each.close();
        }
    }

    static void close(CompiledModel model) {
        if (model != null) {
            model.close();
        }
    }

    static void close(Environment environment) {
        if (environment != null) {
            environment.close();
        }
    }
}

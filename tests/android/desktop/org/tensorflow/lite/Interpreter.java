package org.tensorflow.lite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolver;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.InterpreterBuilder;
import org.bytedeco.tensorflowlite.TfLiteTensor;
import org.tensorflow.lite.gpu.GpuDelegate;

/**
 * What the app calls of TFLite's Java interpreter, over a build of TFLite for desktops: Android's
 * own needs an Android library. Class and method signatures are those of TFLite.
 */
public final class Interpreter implements AutoCloseable {
    /** Those that are open: tests look for ones that were forgotten. */
    public static int open;

    /** All that were ever made. */
    public static int made;

    /** Run when one is made. */
    public static Runnable whenMade = () -> {};

    private final FlatBufferModel model;
    private final org.bytedeco.tensorflowlite.Interpreter interpreter;
    private final int inputs;
    private final int outputs;
    private final Float factor;

    public Interpreter(ByteBuffer content, Options options) {
        try {
            Path file = Files.createTempFile("model", ".tflite");
            byte[] bytes = new byte[content.remaining()];
            content.duplicate().get(bytes);
            Files.write(file, bytes);
            model = FlatBufferModel.BuildFromFile(file.toString());
            Files.delete(file);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        if (model == null || model.isNull()) {
            throw new IllegalArgumentException("Contents of /file/ does not encode a valid model");
        }
        interpreter = new org.bytedeco.tensorflowlite.Interpreter((org.bytedeco.javacpp.Pointer) null);
        InterpreterBuilder builder = new InterpreterBuilder(model, new BuiltinOpResolver());
        builder.apply(interpreter, options.threads);
        if (interpreter.isNull() || interpreter.AllocateTensors() != 0) {
            throw new IllegalStateException("Internal error: cannot allocate tensors");
        }
        factor = options.isOnGpu ? GpuDelegate.factor : null;
        inputs = (int) interpreter.inputs().limit();
        outputs = (int) interpreter.outputs().limit();
        open++;
        made++;
        whenMade.run();
    }

    public int getInputTensorCount() {
        return inputs;
    }

    public int getOutputTensorCount() {
        return outputs;
    }

    public Tensor getInputTensor(int index) {
        return new Described(interpreter.input_tensor(index));
    }

    public Tensor getOutputTensor(int index) {
        return new Described(interpreter.output_tensor(index));
    }

    public void runForMultipleInputsOutputs(Object[] given, Map<Integer, Object> wanted) {
        for (int i = 0; i < given.length; i++) {
            ByteBuffer source = (ByteBuffer) given[i];
            memory(interpreter.input_tensor(i)).put(source.duplicate());
        }
        if (interpreter.Invoke() != 0) {
            throw new IllegalStateException("Internal error: failed to run");
        }
        for (Map.Entry<Integer, Object> entry : wanted.entrySet()) {
            ByteBuffer target = (ByteBuffer) entry.getValue();
            int start = target.position();
            target.put(memory(interpreter.output_tensor(entry.getKey())));
            for (int at = start; factor != null && at < target.position(); at += Float.BYTES) {
                target.putFloat(at, factor * target.getFloat(at));
            }
        }
    }

    private static ByteBuffer memory(TfLiteTensor tensor) {
        BytePointer pointer = new BytePointer(tensor.data().data());
        pointer.capacity(tensor.bytes());
        return pointer.asByteBuffer().order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        interpreter.close();
        model.close();
        open--;
    }

    /** As the app sets them. */
    public static class Options {
        private int threads = 1;
        private boolean isOnGpu;

        public Options setNumThreads(int count) {
            threads = count;
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            isOnGpu |= delegate instanceof GpuDelegate;
            return this;
        }
    }

    private static final class Described implements Tensor {
        private final TfLiteTensor tensor;

        Described(TfLiteTensor tensor) {
            this.tensor = tensor;
        }

        @Override
        public DataType dataType() {
            switch (tensor.type()) {
                case 1:
                    return DataType.FLOAT32;
                case 2:
                    return DataType.INT32;
                case 3:
                    return DataType.UINT8;
                case 4:
                    return DataType.INT64;
                case 9:
                    return DataType.INT8;
                default:
                    throw new IllegalArgumentException("type " + tensor.type());
            }
        }

        @Override
        public int[] shape() {
            int[] lengths = new int[tensor.dims().size()];
            tensor.dims().data().get(lengths);
            return lengths;
        }

        @Override
        public QuantizationParams quantizationParams() {
            return new QuantizationParams(tensor.params().scale(), tensor.params().zero_point());
        }

        @Override
        public int[] shapeSignature() {
            return shape();
        }

        @Override
        public int numDimensions() {
            return shape().length;
        }

        @Override
        public int numBytes() {
            return (int) tensor.bytes();
        }

        @Override
        public int numElements() {
            throw new UnsupportedOperationException();
        }

        @Override
        public int index() {
            throw new UnsupportedOperationException();
        }

        @Override
        public String name() {
            return tensor.name().getString();
        }

        @Override
        public ByteBuffer asReadOnlyBuffer() {
            throw new UnsupportedOperationException();
        }
    }
}

package mobileq.app.tflite;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.Pipeline;
import mobileq.core.tensor.Tensor;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.TensorFlowLite;

/** A loaded .tflite file. */
final class TfliteBackend implements Backend {
    private final Interpreter interpreter;
    private final Delegate delegate;
    private final String on;
    private final ByteBuffer[] inputs;
    private final ByteBuffer[] outputs;
    private final Map<Integer, Object> outputsByIndex = new HashMap<>();

    TfliteBackend(Interpreter interpreter, Delegate delegate, Pipeline pipeline, String on) {
        this.interpreter = interpreter;
        this.delegate = delegate;
        this.on = on;
        this.inputs = buffers(pipeline.inputs());
        this.outputs = buffers(pipeline.outputs());
        for (int i = 0; i < outputs.length; i++) {
            outputsByIndex.put(i, outputs[i]);
        }
    }

    private static ByteBuffer[] buffers(List<Tensor> tensors) {
        ByteBuffer[] buffers = new ByteBuffer[tensors.size()];
        for (int i = 0; i < buffers.length; i++) {
            buffers[i] =
                    ByteBuffer.allocateDirect(tensors.get(i).byteSize())
                            .order(ByteOrder.nativeOrder());
        }
        return buffers;
    }

    @Override
    public void run(List<Tensor> filled, List<Tensor> wanted) throws BackendException {
        for (int i = 0; i < inputs.length; i++) {
            filled.get(i).writeTo(inputs[i]);
        }
        for (ByteBuffer output : outputs) {
            Tensor.toStart(output); // the interpreter writes from where it stopped
        }
        try {
            interpreter.runForMultipleInputsOutputs(inputs, outputsByIndex);
        } catch (RuntimeException error) {
            throw BackendException.of(error);
        }
        for (int i = 0; i < outputs.length; i++) {
            wanted.get(i).readFrom(outputs[i]);
        }
    }

    @Override
    public String description() {
        return "TFLite " + TensorFlowLite.runtimeVersion() + ", " + on;
    }

    @Override
    public void close() {
        close(interpreter, delegate);
    }

    /** The interpreter first: it still uses the delegate while it closes. */
    static void close(Interpreter interpreter, Delegate delegate) {
        if (interpreter != null) {
            interpreter.close();
        }
        if (delegate != null) {
            delegate.close();
        }
    }
}

package mobileq.core.run;

import java.util.List;
import mobileq.core.tensor.Tensor;

/**
 * A runtime with one model file loaded. Made, run and closed on one thread: graphics drivers bind
 * to the thread that they were started on.
 */
public interface Backend extends AutoCloseable {
    /**
     * One inference.
     *
     * @param inputs As the file declares them, filled.
     * @param outputs As the file declares them, to be filled.
     * @throws BackendException The runtime failed; another accelerator may not.
     */
    void run(List<Tensor> inputs, List<Tensor> outputs) throws BackendException;

    /** What it runs on, for the screen: {@code TFLite 2.16.1, CPU, 4 threads}. */
    String description();

    /** Frees the model and its delegate. */
    @Override
    void close();
}

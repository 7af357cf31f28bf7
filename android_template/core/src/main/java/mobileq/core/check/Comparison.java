package mobileq.core.check;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.run.Task;

/**
 * Answers of a task to one picture, held against each other. What is so near a threshold that
 * rounding decides about it does not count.
 */
public interface Comparison {
    /** Reads the answers; one of its own, with the model's thresholds and not a person's. */
    Task task();

    /** The latest answer is what later ones are held against. */
    void keep();

    /**
     * The float model's answer is what later ones are held against.
     *
     * @param golden What the bundle says of it, {@code golden.json}.
     * @throws BundleException It is not there.
     */
    void keep(Fields golden) throws BundleException;

    /** How the latest answer differs from the one that was kept. */
    Difference difference();
}

package mobileq.core.run;

/** How long one picture took. Filled again for every one. */
public final class Times {
    /** From the frame to the input tensor, nanoseconds. */
    public long preprocessNanos;

    /** The runtime alone, nanoseconds. */
    public long inferenceNanos;

    /** From the output tensors to the answer, nanoseconds. */
    public long postprocessNanos;
}

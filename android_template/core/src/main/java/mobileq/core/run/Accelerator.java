package mobileq.core.run;

/** What a model may run on. */
public enum Accelerator {
    /** Threads of the processor: what everything else falls back to. */
    CPU,
    /** The graphics processor. */
    GPU,
    /** Android's Neural Networks API, deprecated since Android 15. */
    NNAPI,
    /** A neural processor, through its maker's libraries. */
    NPU
}

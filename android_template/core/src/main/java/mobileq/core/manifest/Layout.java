package mobileq.core.manifest;

/** The order of a picture tensor's axes. */
public enum Layout {
    /** Batch, channels, rows, columns. */
    NCHW,
    /** Batch, rows, columns, channels. */
    NHWC
}

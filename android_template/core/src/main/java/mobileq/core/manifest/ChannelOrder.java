package mobileq.core.manifest;

/** The order of a pixel's colours. */
public enum ChannelOrder {
    /** Red first. */
    RGB,
    /** Blue first. */
    BGR
}

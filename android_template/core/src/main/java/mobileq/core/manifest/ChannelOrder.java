package mobileq.core.manifest;

/** The order of a pixel's colours. */
public enum ChannelOrder {
    /** Red first. */
    RGB,
    /** Blue first. */
    BGR,
    /** One channel, of which brightness is all that is left. */
    GRAY;

    /** Of the model's input. */
    public int channels() {
        return this == GRAY ? 1 : 3;
    }
}

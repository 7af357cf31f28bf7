package mobileq.core.manifest;

/** How pixels between those of a picture are made. */
public enum Interpolation {
    /** Of the two nearest along each axis. */
    BILINEAR("bilinear"),
    /** Of the four nearest along each axis, by cubic convolution. */
    BICUBIC("bicubic");

    private final String text;

    Interpolation(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

package mobileq.core.manifest.decode;

/** Which four numbers make a box. */
public enum BoxFormat {
    /** Centre, width and height. */
    CXCYWH("cxcywh"),
    /** Left, top, right, bottom. */
    XYXY("xyxy"),
    /** Top, left, bottom, right. */
    YXYX("yxyx");

    private final String text;

    BoxFormat(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

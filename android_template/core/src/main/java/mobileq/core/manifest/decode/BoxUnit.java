package mobileq.core.manifest.decode;

/** What boxes are measured in. */
public enum BoxUnit {
    /** Pixels of the model's input. */
    PIXEL("pixel"),
    /** Fractions of the model input's width and height. */
    NORMALIZED("normalized");

    private final String text;

    BoxUnit(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

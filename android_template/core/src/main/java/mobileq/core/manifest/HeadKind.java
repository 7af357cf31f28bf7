package mobileq.core.manifest;

/** Where the graph ends. */
public enum HeadKind {
    /** Boxes and scores. */
    DECODED("decoded"),
    /** The last convolutions. */
    RAW("raw");

    private final String text;

    HeadKind(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

package mobileq.core.manifest;

/** What the model does. */
public enum Task {
    /** Finds boxes. */
    DETECT("detect"),
    /** One score per class. */
    CLASSIFY("classify"),
    /** Outputs of unknown meaning. */
    UNKNOWN("unknown");

    private final String text;

    Task(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

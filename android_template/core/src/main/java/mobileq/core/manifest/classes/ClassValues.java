package mobileq.core.manifest.classes;

/** What a classifier gives for each class. */
public enum ClassValues {
    /** A softmax makes probabilities of them. */
    LOGITS("logits"),
    /** Read as they are. */
    PROBABILITIES("probabilities");

    private final String text;

    ClassValues(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

package mobileq.core.manifest.decode;

/** What an output tensor holds. */
public enum OutputRole {
    /** Boxes and scores of all anchors in one tensor. */
    PREDICTIONS("predictions"),
    /** [anchors, classes], after the sigmoid. */
    CLASS_SCORES("class_scores"),
    /** [anchors, classes], before the sigmoid. */
    CLASS_LOGITS("class_logits"),
    /** [anchors, 4 * bins]: logits of the distances left, top, right, bottom. */
    BOX_DISTRIBUTION("box_distribution"),
    /** Box branch of heads without a distribution. */
    BOX_REGRESSION("box_regression"),
    /** [anchors, 1], before the sigmoid. */
    OBJECTNESS_LOGITS("objectness_logits"),
    /** [1, N, 4] of an in-graph post-processing, of queries, or of cells. */
    BOXES("boxes"),
    /** [1, N]. */
    CLASSES("classes"),
    /** [1, N]. */
    SCORES("scores"),
    /** [1]. */
    COUNT("count");

    private final String text;

    OutputRole(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

package mobileq.core.manifest;

/** How a picture is fitted into the model's input. */
public enum ResizeMode {
    /** In the middle, padding on both sides. */
    LETTERBOX("letterbox"),
    /** In the top left corner, padding at the right and bottom. */
    LETTERBOX_TOP_LEFT("letterbox_top_left"),
    /** Fills the input; the aspect ratio is lost. */
    STRETCH("stretch"),
    /** The middle of a picture that was resized to its shortest edge. */
    CENTER_CROP("center_crop");

    private final String text;

    ResizeMode(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

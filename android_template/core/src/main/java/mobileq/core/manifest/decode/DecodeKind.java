package mobileq.core.manifest.decode;

/** Head families. */
public enum DecodeKind {
    YOLOV5("yolov5"),
    YOLOV8("yolov8"),
    YOLOX("yolox"),
    NANODET("nanodet"),
    PICODET("picodet"),
    SPLIT("split"),
    END2END("end2end"),
    SSD("ssd");

    private final String text;

    DecodeKind(String text) {
        this.text = text;
    }

    /** As the manifest writes it. */
    @Override
    public String toString() {
        return text;
    }
}

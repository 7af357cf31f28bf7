package mobileq.core.run;

import mobileq.core.detect.Detections;
import mobileq.core.detect.TopClasses;

/** What was made of one picture. Filled again for every one. */
public final class Analysis {
    private static final int CLASSES_SHOWN = 5;

    /** Boxes, where the model is a detector. */
    public final Detections detections = new Detections();

    /** The best classes, where the model is a classifier. */
    public final TopClasses classes = new TopClasses(CLASSES_SHOWN);

    /** From the frame to the input tensor, nanoseconds. */
    public long preprocessNanos;

    /** The runtime alone, nanoseconds. */
    public long inferenceNanos;

    /** From the output tensors to detections, nanoseconds. */
    public long postprocessNanos;
}

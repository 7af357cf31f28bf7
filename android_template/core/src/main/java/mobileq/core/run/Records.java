package mobileq.core.run;

import mobileq.core.image.Frame;

/** Answers to several pictures, for a file that others read. */
public interface Records {
    /**
     * A picture as others have it.
     *
     * @param name Of its file.
     * @param width Of the upright picture in the file, pixels; the frame may be a smaller copy.
     * @param height Of the same.
     */
    record Picture(String name, int width, int height) {}

    /**
     * Takes down the task's latest answer; on the thread that reads.
     *
     * @param picture What it is about.
     * @param frame What was analysed.
     */
    void add(Picture picture, Frame frame);

    /** How many pictures there are. */
    int count();

    /** All, as a document. */
    String json();
}

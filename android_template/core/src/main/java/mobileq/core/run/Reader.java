package mobileq.core.run;

import mobileq.core.image.Frame;
import mobileq.core.image.Letterbox;

/**
 * Makes an answer of the output tensors of one file, which it was given when it was made. The
 * answer is its task's, filled again for every picture.
 */
public interface Reader {
    /**
     * Reads the outputs of one picture, on the thread that they were computed on.
     *
     * @param letterbox Where the frame's part that counts lies in the model's input.
     * @param frame The picture.
     */
    void read(Letterbox letterbox, Frame frame);
}

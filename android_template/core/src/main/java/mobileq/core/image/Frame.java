package mobileq.core.image;

/**
 * One picture in memory: RGBA bytes whose rows may be padded, a rectangle of it to look at, and how
 * it is to be turned. The object is filled again for every picture.
 */
public final class Frame {
    /** RGBA, four bytes per pixel; may be longer than the picture. */
    public byte[] pixels = new byte[0];

    /** Of the whole picture as stored, pixels. */
    public int width;

    /** Of the whole picture as stored, pixels. */
    public int height;

    /** From one row to the next, bytes; at least 4 * width. */
    public int rowStride;

    /** Left edge of the part that counts, pixels from the left as stored. */
    public int cropLeft;

    /** Upper edge of the part that counts, pixels from the top as stored. */
    public int cropTop;

    /** Width of the part that counts, pixels. */
    public int cropWidth;

    /** Height of the part that counts, pixels. */
    public int cropHeight;

    /** Clockwise turn that makes the picture upright: 0, 90, 180 or 270 degrees. */
    public int rotation;

    /**
     * Describes the pixels; the whole picture counts.
     *
     * @param width Pixels.
     * @param height Pixels.
     * @param rowStride Bytes.
     * @param rotation Degrees clockwise.
     */
    public void describe(int width, int height, int rowStride, int rotation) {
        if (rowStride < 4 * width || pixels.length < rowStride * (height - 1) + 4 * width) {
            throw new IllegalArgumentException(
                    pixels.length
                            + " bytes in rows of "
                            + rowStride
                            + " are no picture of "
                            + width
                            + " x "
                            + height);
        }
        this.width = width;
        this.height = height;
        this.rowStride = rowStride;
        this.rotation = rotation;
        crop(0, 0, width, height);
    }

    /**
     * Only a part counts.
     *
     * @param left Pixels, as stored.
     * @param top Pixels, as stored.
     * @param partWidth Pixels.
     * @param partHeight Pixels.
     */
    public void crop(int left, int top, int partWidth, int partHeight) {
        if (left < 0 || top < 0 || left + partWidth > width || top + partHeight > height) {
            throw new IllegalArgumentException("the part leaves the picture");
        }
        cropLeft = left;
        cropTop = top;
        cropWidth = partWidth;
        cropHeight = partHeight;
    }
}

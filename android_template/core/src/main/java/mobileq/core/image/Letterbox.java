package mobileq.core.image;

import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.ResizeMode;

/**
 * Where a picture lies in the model's input, and the way back for boxes: turned by `rotation`,
 * resized, and placed. What the resized picture does not cover is padding; what reaches beyond the
 * input is cut off.
 *
 * @param sourceWidth Before the rotation, pixels.
 * @param sourceHeight Before the rotation, pixels.
 * @param rotation Degrees clockwise, applied before resizing.
 * @param resizedWidth Of the turned and resized picture, pixels.
 * @param resizedHeight Of the turned and resized picture, pixels.
 * @param left Padding left of it, pixels; negative where it is cut.
 * @param top Padding above it, pixels; negative where it is cut.
 * @param width Of the model's input, pixels.
 * @param height Of the model's input, pixels.
 */
public record Letterbox(
        int sourceWidth,
        int sourceHeight,
        int rotation,
        int resizedWidth,
        int resizedHeight,
        int left,
        int top,
        int width,
        int height) {
    /**
     * Places a picture; whole-number arithmetic throughout, so that no rounding error can move an
     * edge by a pixel. "letterbox" rounds the scaled side half up and centres it, the odd pixel of
     * padding at the right or bottom; "letterbox_top_left" rounds down. "center_crop" covers an
     * area of the input's proportions, rounds the longer side down and half a pixel of the offset
     * to even, as torchvision does.
     *
     * @param sourceWidth Before the rotation, pixels.
     * @param sourceHeight Before the rotation, pixels.
     * @param spec Input size and how to fit.
     * @param rotation 0, 90, 180 or 270 degrees clockwise.
     * @return Where it lies.
     */
    public static Letterbox fit(
            int sourceWidth, int sourceHeight, PreprocessSpec spec, int rotation) {
        if (sourceWidth < 1 || sourceHeight < 1) {
            throw new IllegalArgumentException(sourceWidth + " x " + sourceHeight);
        }
        if (rotation < 0 || rotation > 270 || rotation % 90 != 0) {
            throw new IllegalArgumentException("a rotation of " + rotation);
        }
        boolean upright = rotation % 180 == 0;
        long turnedWidth = upright ? sourceWidth : sourceHeight;
        long turnedHeight = upright ? sourceHeight : sourceWidth;
        ResizeMode mode = spec.resizeMode();
        boolean covers = mode == ResizeMode.CENTER_CROP;
        int shorter = Math.min(spec.width(), spec.height());
        long width = covers ? (long) spec.width() * spec.shortestEdge() / shorter : spec.width();
        long height = covers ? (long) spec.height() * spec.shortestEdge() / shorter : spec.height();
        if (mode != ResizeMode.STRETCH) {
            int half = mode == ResizeMode.LETTERBOX ? 1 : 0;
            long byWidth = width * turnedHeight;
            long byHeight = height * turnedWidth;
            if (covers ? byWidth >= byHeight : byWidth <= byHeight) { // the width decides
                height = scaled(turnedHeight, width, turnedWidth, half);
            } else {
                width = scaled(turnedWidth, height, turnedHeight, half);
            }
        }
        return new Letterbox(
                sourceWidth,
                sourceHeight,
                rotation,
                (int) width,
                (int) height,
                offset(spec.width() - (int) width, mode),
                offset(spec.height() - (int) height, mode),
                spec.width(),
                spec.height());
    }

    /** `side * target / source`, rounded half up or down, at least 1. */
    private static long scaled(long side, long target, long source, int half) {
        return Math.max(1, (2 * side * target + half * source) / (2 * source));
    }

    /** Of the picture from the input's edge, by the space that it leaves there. */
    private static int offset(int space, ResizeMode mode) {
        if (mode == ResizeMode.CENTER_CROP) {
            return -(int) Math.rint(-space / 2.0);
        }
        return mode == ResizeMode.LETTERBOX ? space / 2 : 0;
    }

    /** Whether this is where {@link #fit} would put such a picture of the same model. */
    boolean isOf(Frame frame) {
        return frame.cropWidth == sourceWidth
                && frame.cropHeight == sourceHeight
                && frame.rotation == rotation;
    }

    /** Width of the source after the rotation, pixels. */
    public int rotatedWidth() {
        return rotation % 180 == 0 ? sourceWidth : sourceHeight;
    }

    /** Height of the source after the rotation, pixels. */
    public int rotatedHeight() {
        return rotation % 180 == 0 ? sourceHeight : sourceWidth;
    }

    /**
     * A box in source pixels to model-input pixels, in place; {@link #toSource} undoes it.
     *
     * @param xyxy Left, top, right, bottom.
     */
    public void toModel(float[] xyxy) {
        double[] turned = turn(xyxy[0], xyxy[1], xyxy[2], xyxy[3]);
        for (int i = 0; i < 4; i++) {
            boolean isX = i % 2 == 0;
            double value = turned[i] * (isX ? resizedWidth : resizedHeight);
            value /= isX ? rotatedWidth() : rotatedHeight();
            xyxy[i] = (float) (value + (isX ? left : top));
        }
    }

    private double[] turn(double x1, double y1, double x2, double y2) {
        switch (rotation) {
            case 90:
                return new double[] {sourceHeight - y2, x1, sourceHeight - y1, x2};
            case 180:
                return new double[] {
                    sourceWidth - x2, sourceHeight - y2, sourceWidth - x1, sourceHeight - y1
                };
            case 270:
                return new double[] {y1, sourceWidth - x2, y2, sourceWidth - x1};
            default:
                return new double[] {x1, y1, x2, y2};
        }
    }

    /**
     * A box in model-input pixels to source pixels, in place, limited to the source picture:
     * {@code (x - left) * rotatedWidth / resizedWidth} in 64 bits, the rotation undone, rounded
     * once.
     *
     * @param xyxy Left, top, right, bottom.
     */
    public void toSource(float[] xyxy) {
        double x1 = back(xyxy[0], left, rotatedWidth(), resizedWidth);
        double y1 = back(xyxy[1], top, rotatedHeight(), resizedHeight);
        double x2 = back(xyxy[2], left, rotatedWidth(), resizedWidth);
        double y2 = back(xyxy[3], top, rotatedHeight(), resizedHeight);
        switch (rotation) {
            case 90:
                set(xyxy, y1, sourceHeight - x2, y2, sourceHeight - x1);
                break;
            case 180:
                set(
                        xyxy,
                        sourceWidth - x2,
                        sourceHeight - y2,
                        sourceWidth - x1,
                        sourceHeight - y1);
                break;
            case 270:
                set(xyxy, sourceWidth - y2, x1, sourceWidth - y1, x2);
                break;
            default:
                set(xyxy, x1, y1, x2, y2);
        }
    }

    private static double back(double value, int padding, int rotated, int resized) {
        return (value - padding) * rotated / resized;
    }

    private void set(float[] xyxy, double x1, double y1, double x2, double y2) {
        xyxy[0] = clipped(x1, sourceWidth);
        xyxy[1] = clipped(y1, sourceHeight);
        xyxy[2] = clipped(x2, sourceWidth);
        xyxy[3] = clipped(y2, sourceHeight);
    }

    private static float clipped(double value, int limit) {
        return Math.min(Math.max((float) value, 0f), limit);
    }
}

package mobileq.core.detect.decode;

import mobileq.core.manifest.decode.BoxFormat;
import mobileq.core.manifest.decode.BoxUnit;
import mobileq.core.manifest.decode.DecodeSpec;

/** Turns four numbers of any format and unit into left, top, right, bottom in input pixels. */
final class BoxReader {
    private final BoxFormat format;
    private final float xFactor;
    private final float yFactor;

    float x1;
    float y1;
    float x2;
    float y2;

    BoxReader(DecodeSpec spec, int width, int height) {
        boolean isNormalized = spec.boxUnit() == BoxUnit.NORMALIZED;
        this.format = spec.boxFormat();
        this.xFactor = isNormalized ? width : 1;
        this.yFactor = isNormalized ? height : 1;
    }

    /** As the specification says. */
    void read(float a, float b, float c, float d) {
        switch (format) {
            case XYXY:
                set(a, b, c, d);
                break;
            case YXYX:
                set(b, a, d, c);
                break;
            default:
                centred(a, b, c, d);
        }
        x1 *= xFactor;
        y1 *= yFactor;
        x2 *= xFactor;
        y2 *= yFactor;
    }

    /** From centre and sides in pixels, whatever the specification says. */
    void centred(float x, float y, float width, float height) {
        float halfWidth = width * 0.5f;
        float halfHeight = height * 0.5f;
        set(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight);
    }

    /** From the distances of the sides to a point, all in strides. */
    void around(float x, float y, float[] ltrb, float stride) {
        set(
                (x - ltrb[0]) * stride,
                (y - ltrb[1]) * stride,
                (x + ltrb[2]) * stride,
                (y + ltrb[3]) * stride);
    }

    private void set(float left, float top, float right, float bottom) {
        x1 = left;
        y1 = top;
        x2 = right;
        y2 = bottom;
    }
}

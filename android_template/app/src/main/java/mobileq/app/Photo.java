package mobileq.app;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.RectF;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.IOException;
import java.io.InputStream;
import mobileq.core.image.Frame;
import mobileq.core.run.Records;

/** A picture that the person picked, or a frame of a video. */
final class Photo {
    private static final int LONGEST_SIDE = 2048;

    /** Where it is read from; null for a frame of a video. */
    final Uri uri;

    /** The picture in its file. */
    final Records.Picture source;

    /** The picture as stored, before its rotation. */
    final Bitmap bitmap;

    /** The same as a frame, with its rotation. */
    final Frame frame = new Frame();

    private Photo(Uri uri, Bitmap bitmap, int rotation, Records.Picture source) {
        this.uri = uri;
        this.bitmap = bitmap;
        this.source = source;
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        int[] row = new int[width];
        frame.pixels = new byte[4 * width * height];
        int at = 0;
        for (int y = 0; y < height; y++) {
            // Colours, not the bitmap's own bytes: their order is the platform's business.
            bitmap.getPixels(row, 0, width, 0, y, width, 1);
            for (int colour : row) {
                frame.pixels[at++] = (byte) Color.red(colour);
                frame.pixels[at++] = (byte) Color.green(colour);
                frame.pixels[at++] = (byte) Color.blue(colour);
                frame.pixels[at++] = (byte) Color.alpha(colour);
            }
        }
        frame.describe(width, height, 4 * width, rotation);
    }

    /**
     * Decodes a picture, reduced by powers of two where it is large.
     *
     * @param resolver Of the app.
     * @param uri What the person picked.
     * @param name Of its file.
     * @return The picture.
     * @throws IOException It can't be read or is no picture.
     */
    static Photo read(ContentResolver resolver, Uri uri, String name) throws IOException {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        try (InputStream stream = open(resolver, uri)) {
            BitmapFactory.decodeStream(stream, null, options);
        }
        int width = options.outWidth;
        int height = options.outHeight;
        options.inJustDecodeBounds = false;
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        options.inSampleSize = 1;
        while (Math.max(options.outWidth, options.outHeight) / options.inSampleSize
                > LONGEST_SIDE) {
            options.inSampleSize *= 2;
        }
        Bitmap bitmap;
        try (InputStream stream = open(resolver, uri)) {
            bitmap = BitmapFactory.decodeStream(stream, null, options);
        }
        if (bitmap == null) {
            throw new IOException("no picture");
        }
        try (InputStream stream = open(resolver, uri)) {
            int rotation = rotation(stream);
            boolean isUpright = rotation % 180 == 0;
            Records.Picture source =
                    new Records.Picture(
                            name, isUpright ? width : height, isUpright ? height : width);
            return new Photo(uri, bitmap, rotation, source);
        }
    }

    /** A frame of a video, upright. */
    static Photo of(Bitmap frame, String name) {
        Records.Picture source = new Records.Picture(name, frame.getWidth(), frame.getHeight());
        return new Photo(null, frame, 0, source);
    }

    private static InputStream open(ContentResolver resolver, Uri uri) throws IOException {
        try {
            InputStream stream = resolver.openInputStream(uri);
            if (stream == null) {
                throw new IOException("it is gone");
            }
            return stream;
        } catch (SecurityException error) {
            throw new IOException("the permission is missing", error);
        }
    }

    /** The clockwise turn that makes the picture upright; mirrored ones stay mirrored. */
    private static int rotation(InputStream stream) throws IOException {
        int orientation =
                new ExifInterface(stream)
                        .getAttributeInt(
                                ExifInterface.TAG_ORIENTATION,
                                ExifInterface.ORIENTATION_NORMAL);
        switch (orientation) {
            case ExifInterface.ORIENTATION_ROTATE_90:
            case ExifInterface.ORIENTATION_TRANSPOSE:
                return 90;
            case ExifInterface.ORIENTATION_ROTATE_180:
            case ExifInterface.ORIENTATION_FLIP_VERTICAL:
                return 180;
            case ExifInterface.ORIENTATION_ROTATE_270:
            case ExifInterface.ORIENTATION_TRANSVERSE:
                return 270;
            default:
                return 0;
        }
    }

    /**
     * Where the upright picture lies in a view, whole or filling it.
     *
     * @param viewWidth Pixels.
     * @param viewHeight Pixels.
     * @param fills Whether the view is covered, and what does not fit is cut off.
     * @return From the stored picture's pixels to the view's.
     */
    Matrix toView(int viewWidth, int viewHeight, boolean fills) {
        boolean isUpright = frame.rotation % 180 == 0;
        float width = isUpright ? frame.width : frame.height;
        float height = isUpright ? frame.height : frame.width;
        float scale =
                fills
                        ? Math.max(viewWidth / width, viewHeight / height)
                        : Math.min(viewWidth / width, viewHeight / height);
        Matrix matrix = new Matrix();
        matrix.postTranslate(-frame.width / 2f, -frame.height / 2f);
        matrix.postRotate(frame.rotation);
        matrix.postScale(scale, scale);
        matrix.postTranslate(viewWidth / 2f, viewHeight / 2f);
        return matrix;
    }

    /**
     * Only what a view shows counts from now on; on the thread that analyses the frame.
     *
     * @param toView From the stored picture's pixels to the view's.
     * @param viewWidth Pixels.
     * @param viewHeight Pixels.
     */
    void cropToView(Matrix toView, int viewWidth, int viewHeight) {
        RectF shown = new RectF(0, 0, frame.width, frame.height);
        Matrix toPicture = new Matrix();
        if (viewWidth > 0 && viewHeight > 0 && toView.invert(toPicture)) {
            RectF view = new RectF(0, 0, viewWidth, viewHeight);
            toPicture.mapRect(view);
            shown.intersect(view);
        }
        int left = Math.round(shown.left);
        int top = Math.round(shown.top);
        frame.crop(
                left,
                top,
                Math.max(1, Math.round(shown.right) - left),
                Math.max(1, Math.round(shown.bottom) - top));
    }
}

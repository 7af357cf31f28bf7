package mobileq.app;

import android.graphics.Bitmap;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.Rect;
import androidx.camera.core.ImageInfo;
import androidx.camera.core.ImageProxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;

/** A frame that Python wrote, as CameraX would hand it over; the sensor has twice its size. */
final class CameraFrame implements ImageProxy {
    final String name;
    final int width;
    final int height;
    final int rowStride;
    final int rotation;
    final double[][] detections;
    final byte[] pixels;
    boolean isClosed;
    long takenNanos = 1;
    Runnable whenClosed = () -> {};

    private CameraFrame(String name, Fields fields, byte[] pixels) throws Exception {
        this.name = name;
        this.pixels = pixels;
        width = fields.integer("width");
        height = fields.integer("height");
        rowStride = fields.integer("row_stride");
        rotation = fields.integer("rotation");
        detections = fields.nestedNumbers("detections")[0];
    }

    static CameraFrame read(String name) throws Exception {
        Path folder = Path.of(System.getProperty("frames"));
        String json = Files.readString(folder.resolve(name + ".json"));
        byte[] pixels = Files.readAllBytes(folder.resolve(name + ".rgba"));
        return new CameraFrame(name, Fields.of(JsonReader.read(json)), pixels);
    }

    /** As a broken driver may hand it over. */
    CameraFrame withoutItsEnd() {
        return new CameraFrame(this, Arrays.copyOf(pixels, pixels.length / 2));
    }

    /** As a camera hands it over that may not see. */
    CameraFrame blackened() {
        return new CameraFrame(this, new byte[pixels.length]);
    }

    private CameraFrame(CameraFrame frame, byte[] pixels) {
        this.name = frame.name;
        this.pixels = pixels;
        width = frame.width;
        height = frame.height;
        rowStride = frame.rowStride;
        rotation = frame.rotation;
        detections = frame.detections;
    }

    Bitmap bitmap() {
        int[] colors = new int[width * height];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int at = y * rowStride + 4 * x;
                colors[y * width + x] =
                        Color.rgb(pixels[at] & 0xFF, pixels[at + 1] & 0xFF, pixels[at + 2] & 0xFF);
            }
        }
        return Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888);
    }

    /** From frame to view, whole and upright; a front camera's preview is a mirror. */
    Matrix frameToView(int viewWidth, int viewHeight, boolean isMirrored) {
        boolean isUpright = rotation % 180 == 0;
        float turnedWidth = isUpright ? width : height;
        float turnedHeight = isUpright ? height : width;
        float scale = Math.min(viewWidth / turnedWidth, viewHeight / turnedHeight);
        Matrix matrix = new Matrix();
        matrix.postTranslate(-width / 2f, -height / 2f);
        matrix.postRotate(rotation);
        matrix.postScale(isMirrored ? -scale : scale, scale);
        matrix.postTranslate(viewWidth / 2f, viewHeight / 2f);
        return matrix;
    }

    Matrix sensorToView(int viewWidth, int viewHeight, boolean isMirrored) {
        Matrix matrix = frameToView(viewWidth, viewHeight, isMirrored);
        matrix.preScale(0.5f, 0.5f);
        return matrix;
    }

    @Override
    public void close() {
        isClosed = true;
        whenClosed.run();
    }

    @Override
    public Rect getCropRect() {
        return new Rect(0, 0, width, height);
    }

    @Override
    public int getWidth() {
        return width;
    }

    @Override
    public int getHeight() {
        return height;
    }

    @Override
    public PlaneProxy[] getPlanes() {
        ByteBuffer direct = ByteBuffer.allocateDirect(pixels.length);
        direct.put(pixels);
        return new PlaneProxy[] {
            new PlaneProxy() {
                @Override
                public int getRowStride() {
                    return rowStride;
                }

                @Override
                public int getPixelStride() {
                    return 4;
                }

                @Override
                public ByteBuffer getBuffer() {
                    return direct;
                }
            }
        };
    }

    @Override
    public ImageInfo getImageInfo() {
        return new ImageInfo() {
            @Override
            public int getRotationDegrees() {
                return rotation;
            }

            @Override
            public long getTimestamp() {
                return takenNanos;
            }

            @Override
            public Matrix getSensorToBufferTransformMatrix() {
                Matrix matrix = new Matrix();
                matrix.setScale(0.5f, 0.5f);
                return matrix;
            }
        };
    }
}

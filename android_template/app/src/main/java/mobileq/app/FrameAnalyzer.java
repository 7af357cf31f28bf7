package mobileq.app;

import android.graphics.Matrix;
import android.graphics.Rect;
import android.os.SystemClock;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.ImageProxy;
import java.nio.ByteBuffer;
import mobileq.core.image.Frame;
import mobileq.core.tensor.Tensor;

/** Takes the camera's frames, on the inference thread. */
final class FrameAnalyzer implements ImageAnalysis.Analyzer {
    private static final long OLDEST_NANOS = 10_000_000_000L;
    private static final int BLACK_FRAMES = 10;
    private static final int LOOKED_AT = 64;

    /** Hears, on the inference thread, of frames without a picture. */
    interface Listener {
        /**
         * A sensor's own noise is missing from so many frames that none of them can be a picture;
         * or a picture is back.
         */
        void turnedBlack(boolean isBlack);
    }

    private final Inference inference;
    private final Frame frame = new Frame();
    private final Matrix frameToSensor = new Matrix();
    private volatile Listener listener;
    private boolean isAgain;
    private long takenNanos;
    private int blackFrames;

    FrameAnalyzer(Inference inference) {
        this.inference = inference;
    }

    /** Who hears from now on; null for nobody. */
    void setListener(@Nullable Listener newListener) {
        listener = newListener;
    }

    /** From the pixels of the frame being analysed to those of the sensor. */
    Matrix frameToSensor() {
        return frameToSensor;
    }

    /**
     * How long ago the camera took the frame being analysed, in nanoseconds; negative where its
     * clock is not known.
     */
    long ageNanos() {
        // Cameras count since boot, with or without the time asleep: the later clock is the one.
        long[] clocks = {SystemClock.elapsedRealtimeNanos(), System.nanoTime()};
        long age = -1;
        for (long now : clocks) {
            long since = now - takenNanos;
            if (since >= 0 && since < OLDEST_NANOS && (age < 0 || since < age)) {
                age = since;
            }
        }
        return age;
    }

    @Override
    public void analyze(@NonNull ImageProxy image) {
        // Closed after the inference: CameraX gives the newest frame it has at that moment, and
        // keeps the next one waiting from the moment that this one is closed.
        try {
            if (!inference.isPaused()) {
                copy(image);
                inference.analyse(frame);
                countBlack();
            }
        } catch (RuntimeException error) { // a frame that is not what it says
            inference.failed(error);
        } finally {
            image.close();
        }
    }

    /** Analyses the last frame once more; on the inference thread. */
    void again() {
        if (frame.width > 0) {
            isAgain = true;
            inference.analyse(frame);
            isAgain = false;
        }
    }

    /** Whether the frame being analysed was before. */
    boolean isAgain() {
        return isAgain;
    }

    private void countBlack() {
        if (isBlack()) {
            if (++blackFrames == BLACK_FRAMES) {
                tell(true);
            }
        } else {
            if (blackFrames >= BLACK_FRAMES) {
                tell(false);
            }
            blackFrames = 0;
        }
    }

    private void tell(boolean isBlackNow) {
        Listener hears = listener;
        if (hears != null) {
            hears.turnedBlack(isBlackNow);
        }
    }

    private boolean isBlack() {
        for (int i = 0; i < LOOKED_AT; i++) {
            int x = (2 * i + 1) * frame.width / (2 * LOOKED_AT);
            int y = (int) ((37L * i + 5) % LOOKED_AT * frame.height / LOOKED_AT);
            int at = y * frame.rowStride + 4 * x;
            if ((frame.pixels[at] | frame.pixels[at + 1] | frame.pixels[at + 2]) != 0) {
                return false;
            }
        }
        return true;
    }

    private void copy(ImageProxy image) {
        ImageProxy.PlaneProxy plane = image.getPlanes()[0];
        ByteBuffer buffer = plane.getBuffer();
        Tensor.toStart(buffer);
        if (frame.pixels.length != buffer.remaining()) {
            frame.pixels = new byte[buffer.remaining()];
        }
        buffer.get(frame.pixels);
        frame.describe(
                image.getWidth(),
                image.getHeight(),
                plane.getRowStride(),
                image.getImageInfo().getRotationDegrees());
        takenNanos = image.getImageInfo().getTimestamp();
        Rect part = image.getCropRect();
        if (!part.isEmpty()) {
            frame.crop(part.left, part.top, part.width(), part.height());
        }
        if (!image.getImageInfo().getSensorToBufferTransformMatrix().invert(frameToSensor)) {
            frameToSensor.reset();
        }
    }
}

package mobileq.app;

import android.graphics.Matrix;
import android.graphics.Rect;
import androidx.annotation.NonNull;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.ImageProxy;
import java.nio.ByteBuffer;
import mobileq.core.image.Frame;
import mobileq.core.tensor.Tensor;

/** Takes the camera's frames, on the inference thread. */
final class FrameAnalyzer implements ImageAnalysis.Analyzer {
    private final Inference inference;
    private final Frame frame = new Frame();
    private final Matrix frameToSensor = new Matrix();

    FrameAnalyzer(Inference inference) {
        this.inference = inference;
    }

    /** From the pixels of the frame being analysed to those of the sensor. */
    Matrix frameToSensor() {
        return frameToSensor;
    }

    @Override
    public void analyze(@NonNull ImageProxy image) {
        // Closed in any case: CameraX sends no further frame before.
        try {
            if (inference.isPaused()) {
                return;
            }
            copy(image);
        } finally {
            image.close();
        }
        inference.analyse(frame);
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
        Rect part = image.getCropRect();
        if (!part.isEmpty()) {
            frame.crop(part.left, part.top, part.width(), part.height());
        }
        if (!image.getImageInfo().getSensorToBufferTransformMatrix().invert(frameToSensor)) {
            frameToSensor.reset();
        }
    }
}

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.Color;
import android.graphics.RectF;
import android.net.Uri;
import android.os.Looper;
import android.widget.SeekBar;
import android.widget.Spinner;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.ImageProxy;
import androidx.camera.view.PreviewView;
import com.taobao.android.mnn.MNNNetNative;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import mobileq.core.detect.Detections;
import mobileq.core.image.Frame;
import org.junit.After;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers;
import org.robolectric.util.ReflectionHelpers.ClassParameter;
import org.tensorflow.lite.Interpreter;

@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class MainActivityTest {
    private AppUnderTest app;

    @After
    public void close() {
        if (app != null) {
            app.close();
        }
        assertEquals("interpreters left open", 0, Interpreter.open);
        assertEquals("MNN's nets and sessions left open", 0, MNNNetNative.open);
    }

    private void assertSame(CameraFrame frame, Detections found) {
        String said = frame.name + " " + app.text(R.id.message) + describe(found);
        assertEquals(said, frame.detections.length, found.count());
        // Two versions of TFLite round integers in different ways inside the model, MNN gets
        // pixels that it scales itself, and close scores may change places.
        boolean isInt8 = frame.name.contains("int8");
        double least = isInt8 ? 0.9 : 0.99;
        for (double[] wanted : frame.detections) {
            int best = 0;
            for (int i = 1; i < found.count(); i++) {
                best = iou(wanted, found, i) > iou(wanted, found, best) ? i : best;
            }
            assertTrue(
                    said + "; IoU " + iou(wanted, found, best), iou(wanted, found, best) > least);
            assertEquals(said, (int) wanted[5], found.classId(best));
            assertEquals(said, wanted[4], found.score(best), isInt8 ? 0.08 : 0.02);
        }
    }

    private static String describe(Detections found) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < found.count(); i++) {
            text.append(
                    String.format(
                            Locale.ROOT,
                            "; class %d %.3f at %.1f %.1f %.1f %.1f",
                            found.classId(i),
                            found.score(i),
                            found.left(i),
                            found.top(i),
                            found.right(i),
                            found.bottom(i)));
        }
        return text.toString();
    }

    private static double iou(double[] wanted, Detections found, int index) {
        double right = Math.min(wanted[2], found.right(index));
        double bottom = Math.min(wanted[3], found.bottom(index));
        double width = right - Math.max(wanted[0], found.left(index));
        double height = bottom - Math.max(wanted[1], found.top(index));
        double common = Math.max(0, width) * Math.max(0, height);
        double first = (wanted[2] - wanted[0]) * (wanted[3] - wanted[1]);
        double second =
                (found.right(index) - found.left(index))
                        * (found.bottom(index) - found.top(index));
        return common / (first + second - common);
    }

    /** A box's line runs where the box is: bright, along the middle of its left side. */
    private void assertDrawn(CameraFrame frame, Bitmap screen) {
        for (double[] wanted : frame.detections) {
            RectF box = app.onScreen(frame, wanted);
            int x = Math.round(box.left);
            int y = Math.round(box.centerY());
            float[] hsv = new float[3];
            Color.colorToHSV(screen.getPixel(Math.max(0, x), y), hsv);
            assertTrue("no line at " + x + ", " + y, hsv[1] > 0.5 && hsv[2] > 0.85);
        }
    }

    private void checkAllRotations(String screenshot) throws Exception {
        for (int rotation = 0; rotation < 360; rotation += 90) {
            CameraFrame frame = CameraFrame.read("tflite-fp32-" + rotation);
            app.deliver(frame);
            assertTrue(frame.isClosed);
            assertSame(frame, app.shown());
            assertDrawn(frame, app.screenshot(screenshot + "-" + rotation));
        }
    }

    @Test
    public void inPortraitTheDetectionsArePythons() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU, 2");
        assertFalse(app.isFront());
        assertEquals(
                ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888,
                app.analysis().getOutputImageFormat());
        checkAllRotations("portrait");
        assertTrue(app.text(R.id.status), app.text(R.id.status).contains("CPU, threads: 2"));
        assertTrue(app.text(R.id.status), app.text(R.id.status).contains("320"));
    }

    @Test
    public void withTheFrontCameraTheyAreDrawnMirrored() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.click(R.id.other_camera);
        assertTrue(app.isFront());
        checkAllRotations("front");
    }

    @Test
    @Config(qualifiers = "w891dp-h411dp-land-xhdpi")
    public void inLandscapeTheControlsStandBesideThePicture() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        checkAllRotations("landscape");
        int panel = app.activity.findViewById(R.id.panel).getLeft();
        assertEquals(app.activity.findViewById(R.id.stage).getRight(), panel);
    }

    @Test
    public void turningThePhoneKeepsTheModelOpen() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-90"));
        assertEquals(1, Interpreter.open);
        MainActivity before = app.activity;
        app.changeConfiguration("+land");
        assertEquals(before, app.activity);
        assertEquals(1, Interpreter.open);
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void anotherModelOfTheBundleIsUsedWhenItIsChosen() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        app.choose(R.id.models, "tflite-int8");
        assertEquals(0, Interpreter.open);
        CameraFrame frame = CameraFrame.read("tflite-int8-0");
        app.deliver(frame);
        assertSame(frame, app.shown());
        assertEquals(1, Interpreter.open);
    }

    @Test
    public void anMnnFileGetsItsPixelsByMnnsOwnConversion() throws Exception {
        app = new AppUnderTest(true);
        for (String precision : new String[] {"fp32", "int8"}) {
            app.choose(R.id.models, "mnn-" + precision);
            app.choose(R.id.devices, "CPU, 2");
            for (int rotation = 0; rotation < 360; rotation += 90) {
                CameraFrame frame = CameraFrame.read("mnn-" + precision + "-" + rotation);
                app.deliver(frame);
                assertSame(frame, app.shown());
            }
            String status = app.text(R.id.status);
            assertTrue(status, status.startsWith("MNN, CPU, threads: 2"));
            assertEquals(2, MNNNetNative.open);
        }
        Spinner devices = app.activity.findViewById(R.id.devices);
        assertEquals("libMNN_CL.so and libMNN_Vulkan.so are missing", 3, devices.getCount());
        app.choose(R.id.models, "tflite-fp32");
        assertEquals(0, MNNNetNative.open);
    }

    @Test
    public void librariesOfMnnThatLackAFunctionAreASentence() throws Exception {
        MNNNetNative.isTooOld = true;
        try {
            app = new AppUnderTest(true);
            app.choose(R.id.models, "mnn-fp32");
            app.choose(R.id.devices, "CPU");
            app.deliver(CameraFrame.read("mnn-fp32-0"));
            assertEquals(
                    "mnn-fp32 does not run: libmnncore.so lacks nativeCreateNetFromBuffer.",
                    app.text(R.id.message));
        } finally {
            MNNNetNative.isTooOld = false;
        }
    }

    @Test
    public void aGpuThatDoesNotStartIsReplacedAndALineSaysSo() throws Exception {
        app = new AppUnderTest(true);
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame); // the template's default is the GPU
        assertSame(frame, app.shown());
        String status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU failed (no GPU on a desktop)"));
        assertTrue(status, status.contains("CPU, threads: "));
        app.screenshot("fallback");
    }

    @Test
    public void aStartOfTheGpuThatKilledTheAppIsNotRepeatedUntilItIsChosenByHand()
            throws Exception {
        RuntimeEnvironment.getApplication()
                .getSharedPreferences("choices", 0)
                .edit()
                .putString("starting", "GPU tflite-fp32")
                .commit();
        app = new AppUnderTest(true);
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        String status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU ended the app"));
        app.choose(R.id.devices, "CPU, 1");
        app.choose(R.id.devices, "GPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        status = app.text(R.id.status);
        assertTrue(status, status.contains("GPU failed"));
    }

    @Test
    public void whilePausedFramesAreClosedAndNotAnalysed() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        app.click(R.id.pause);
        assertEquals(0, app.shown().count());
        app.deliver(frame);
        assertTrue(frame.isClosed);
        assertEquals(0, app.shown().count());
        assertEquals("Resume", app.text(R.id.pause));
        // One that was on its way already is not shown either.
        FrameAnalyzer analyzer = ReflectionHelpers.getField(app.activity, "analyzer");
        ReflectionHelpers.callInstanceMethod(
                analyzer, "copy", ClassParameter.from(ImageProxy.class, frame));
        Inference inference = ReflectionHelpers.getField(app.activity, "inference");
        Frame late = ReflectionHelpers.getField(analyzer, "frame");
        inference.thread().execute(() -> inference.analyse(late));
        app.settle();
        assertEquals(0, app.shown().count());
        app.click(R.id.pause);
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void inTheBackgroundTheModelIsClosedAndALateFrameDoesNotOpenIt() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        ImageAnalysis analysis = app.analysis();
        app.controller.pause().stop();
        app.settle();
        assertEquals(0, Interpreter.open);
        analysis.deliver(frame);
        app.settle();
        assertTrue(frame.isClosed);
        assertEquals(0, Interpreter.open);
        app.controller.start().resume();
        app.settle();
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void withoutThePermissionASentenceAndAButtonAreShown() throws Exception {
        app = new AppUnderTest(false);
        for (String model : new String[] {"tflite-fp32", "tflite-int8"}) {
            app.choose(R.id.models, model);
            assertTrue(app.isVisible(R.id.allow));
            assertTrue(app.isVisible(R.id.message));
            assertTrue(app.text(R.id.message).contains("may not use the camera"));
        }
        app.screenshot("refused");
    }

    /** What the system's picker does once a file of these bytes was chosen. */
    private void pick(String address, byte[] file) {
        Uri uri = Uri.parse(address);
        Shadows.shadowOf(app.activity.getContentResolver())
                .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(file));
        ReflectionHelpers.callInstanceMethod(
                app.activity, "onPicked", ClassParameter.from(Uri.class, uri));
    }

    @Test
    public void aPickedPhotoIsAnalysedAsTheCameraIs() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/1", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        assertTrue(app.isVisible(R.id.photo));
        assertEquals("Camera", app.text(R.id.pick_photo));
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
        app.screenshot("photo");
        app.choose(R.id.models, "tflite-int8"); // the photo is analysed again
        assertSame(CameraFrame.read("tflite-int8-0"), app.shown());
        app.click(R.id.pick_photo);
        assertFalse(app.isVisible(R.id.photo));
        CameraFrame frame = CameraFrame.read("tflite-int8-90");
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void aPickedPhotoStaysWhereTheScreenIsMadeAnew() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/4", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        for (String qualifiers : new String[] {"+xxhdpi", "+de"}) {
            MainActivity before = app.activity;
            app.changeConfiguration(qualifiers);
            assertNotSame(before, app.activity);
            assertTrue(app.isVisible(R.id.photo));
            assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
        }
        app.click(R.id.pick_photo);
        app.changeConfiguration("+xhdpi");
        assertFalse(app.isVisible(R.id.photo));
    }

    @Test
    public void aPhotoThatIsReadWhenTheAppWasLeftIsForgotten() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/3", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.close(); // the photo is read to its end
        Shadows.shadowOf(Looper.getMainLooper()).idle();
        app = null;
    }

    @Test
    public void whereNoAppOffersPhotosASentenceSaysSo() throws Exception {
        app = new AppUnderTest(true);
        Shadows.shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        app.click(R.id.pick_photo);
        assertTrue(app.text(R.id.message).startsWith("This device has no app"));
    }

    @Test
    public void aReaderOfTheScreenHearsWhatIsInThePicture() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        assertEquals("Picture", app.heard());
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        String heard = app.heard();
        assertTrue(heard, heard.matches("Picture with \\d \u00d7 \\w+(, \\d \u00d7 \\w+)+"));
        assertFalse(app.activity.findViewById(R.id.stage).isClickable());
        app.click(R.id.full_screen);
        assertTrue(app.activity.findViewById(R.id.stage).isClickable());
    }

    @Test
    public void aFileThatIsNoPhotoIsASentence() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/2", new byte[9]);
        app.settle();
        assertTrue(app.text(R.id.message).startsWith("The photo cannot be read: "));
    }

    private void slide(int id, int progress) {
        SeekBar slider = app.activity.findViewById(id);
        slider.setProgress(progress);
        Shadows.shadowOf(slider).getOnSeekBarChangeListener().onProgressChanged(slider, progress, true);
    }

    @Test
    public void thresholdsAreRememberedForTheModel() throws Exception {
        app = new AppUnderTest(true);
        assertEquals("Lowest score: 0.25", app.text(R.id.score_label));
        assertEquals("Highest overlap of one class: 0.45", app.text(R.id.iou_label));
        slide(R.id.score, 99);
        slide(R.id.iou, 30);
        assertEquals("Lowest score: 0.99", app.text(R.id.score_label));
        app.close();
        app = new AppUnderTest(true);
        assertEquals("Lowest score: 0.99", app.text(R.id.score_label));
        assertEquals("Highest overlap of one class: 0.30", app.text(R.id.iou_label));
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        assertEquals(0, app.shown().count());
        assertEquals("Picture", app.heard());
    }

    @Test
    public void aHigherThresholdShowsFewerBoxes() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        int before = app.shown().count();
        slide(R.id.score, (int) Math.ceil(frame.detections[0][4] * 100));
        app.deliver(frame);
        assertTrue(before > app.shown().count());
    }

    @Test
    public void fullScreenFillsTheScreenAndAnalysesOnlyWhatItShows() throws Exception {
        app = new AppUnderTest(true);
        PreviewView preview = app.activity.findViewById(R.id.preview);
        assertEquals(PreviewView.ScaleType.FIT_CENTER, preview.getScaleType());
        assertNull(app.camera().boundUseCases.getViewPort());
        app.click(R.id.full_screen);
        assertEquals(PreviewView.ScaleType.FILL_CENTER, preview.getScaleType());
        assertFalse(app.isVisible(R.id.panel));
        assertNotNull(app.camera().boundUseCases.getViewPort());
        app.click(R.id.stage);
        assertTrue(app.isVisible(R.id.panel));
        assertNull(app.camera().boundUseCases.getViewPort());
    }
}

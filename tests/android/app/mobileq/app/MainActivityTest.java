package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.RectF;
import android.net.Uri;
import android.os.Looper;
import android.os.SystemClock;
import android.view.View;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.view.PreviewView;
import java.io.InputStream;
import java.time.Duration;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowPopupMenu;
import org.tensorflow.lite.Interpreter;

@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class MainActivityTest extends ScreenTest {
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
    public void boxesOutsideTheViewHaveNoLabelAndTheOthersAreWhole() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        app.screenshot("labels");
        int all = labels();
        assertEquals(app.shown().count(), all);
        PreviewView view = app.activity.findViewById(R.id.preview);
        Matrix moved = new Matrix(view.getSensorToViewTransform());
        moved.postTranslate(view.getWidth() / 2f, 0);
        view.setSensorToViewTransform(moved);
        app.screenshot("labels-moved");
        assertTrue(labels() > 0 && labels() < all);
        assertLabelsAreApart("moved");
        moved.postTranslate(view.getWidth(), 0);
        app.screenshot("labels-gone");
        assertEquals(0, labels());
    }

    @Test
    public void thePictureWithItsBoxesIsShared() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.click(R.id.share);
        assertNull(Shadows.shadowOf(app.activity).getNextStartedActivity());
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        app.click(R.id.share);
        Intent chooser = Shadows.shadowOf(app.activity).getNextStartedActivity();
        Intent sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
        assertEquals(app.heard(), sent.getStringExtra(Intent.EXTRA_TEXT));
        Uri uri = sent.getParcelableExtra(Intent.EXTRA_STREAM, Uri.class);
        assertEquals("content", uri.getScheme());
        try (InputStream stream = app.activity.getContentResolver().openInputStream(uri)) {
            Bitmap picture = BitmapFactory.decodeStream(stream);
            assertEquals(app.activity.findViewById(R.id.stage).getWidth(), picture.getWidth());
        }
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
    public void whereTheScreenIsMadeAnewTheModelStaysLoaded() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-90"));
        int made = Interpreter.made;
        MainActivity before = app.activity;
        app.changeConfiguration("+night");
        assertNotSame(before, app.activity);
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        assertSame(frame, app.shown());
        assertEquals("loaded again", made, Interpreter.made);
        slide(R.id.score, 99);
        app.deliver(frame);
        assertEquals(0, app.shown().count());
    }

    @Test
    public void aListThatIsOpenIsShutWhereTheScreenIsMadeAnew() throws Exception {
        app = new AppUnderTest(true);
        app.list(R.id.models);
        AlertDialog list = ShadowAlertDialog.getLatestAlertDialog();
        app.changeConfiguration("+night");
        assertFalse(list.isShowing());
        app.click(R.id.pick_photo);
        ShadowPopupMenu menu = Shadows.shadowOf(ShadowPopupMenu.getLatestPopupMenu());
        assertTrue(menu.isShowing());
        app.changeConfiguration("+notnight");
        assertFalse(menu.isShowing());
    }

    @Test
    public void nothingThatIsToComeKeepsAScreenThatIsGone() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        slide(R.id.score, 99);
        app.deliver(CameraFrame.read("tflite-fp32-0")); // whose answer is to be said
        app.activity.onNoPicker(); // which is said for a while
        View said = app.activity.findViewById(R.id.notice);
        AnswerView answer = app.answer();
        CharSequence heard = answer.getContentDescription();
        assertTrue(said.getVisibility() == View.VISIBLE && heard.toString().contains(" with "));
        app.close();
        app = null;
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(20));
        assertEquals(heard, answer.getContentDescription());
        assertEquals(View.VISIBLE, said.getVisibility());
    }

    @Test
    public void whatIsInThePictureIsSaidAgainAfterAWhileOnly() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        CharSequence first = app.answer().getContentDescription();
        assertEquals(app.heard(), first.toString());
        slide(R.id.score, 99);
        app.deliver(CameraFrame.read("tflite-fp32-90"));
        assertEquals("Picture", app.heard());
        assertEquals(first, app.answer().getContentDescription());
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(4));
        app.deliver(CameraFrame.read("tflite-fp32-90"));
        assertEquals("Picture", app.answer().getContentDescription());
    }

    @Test
    public void aFrameIsClosedOnceItIsAnalysedAndItsAgeIsTold() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        frame.takenNanos = SystemClock.elapsedRealtimeNanos() - 42_000_000;
        int[] openWhenClosed = {0};
        frame.whenClosed = () -> openWhenClosed[0] = Interpreter.open;
        app.deliver(frame);
        assertEquals("closed before the model was loaded", 1, openWhenClosed[0]);
        String status = app.text(R.id.status);
        assertTrue(status, status.contains(" · 42\u00a0ms\u00a0old"));
    }

    @Test
    public void onChipsStandTheTimeOfTheInferenceAndFramesASecond() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        for (int pause : new int[] {5000, 250, 250}) {
            Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(pause));
            CameraFrame frame = CameraFrame.read("tflite-fp32-0");
            frame.takenNanos = SystemClock.elapsedRealtimeNanos();
            app.deliver(frame);
            assertEquals(pause == 250, app.isVisible(R.id.rate));
        }
        String rate = app.text(R.id.rate); // the tests' clock goes on a little by itself
        assertTrue(rate, rate.matches("(4\\.0|3\\.\\d) fps"));
        String time = app.text(R.id.inference);
        assertTrue(time, time.matches("\\d+\\.\\d ms"));
        assertEquals("Inference: " + time, app.described(R.id.inference));
        assertEquals(rate.replace("fps", "frames a second"), app.described(R.id.rate));
        assertTrue(app.text(R.id.models), app.text(R.id.models).matches("tflite-fp32 · .* MB"));
    }

    @Test
    public void anErrorWithinTheModelIsASentenceAndTheNextFrameIsAnalysed() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.analysis().deliver(frame.withoutItsEnd());
        app.settle();
        assertTrue(
                app.text(R.id.message), app.text(R.id.message).startsWith("The model stopped: "));
        app.deliver(frame);
        assertFalse(app.isVisible(R.id.message));
        assertSame(frame, app.shown());
    }

    @Test
    public void theScreenStaysOnWhileTheCameraIsShown() throws Exception {
        app = new AppUnderTest(true);
        assertTrue(app.activity.findViewById(R.id.preview).getKeepScreenOn());
    }

    @Test
    public void whereThereIsNoPictureTheScreenMayGoOff() throws Exception {
        app = new AppUnderTest(false);
        assertFalse(app.activity.findViewById(R.id.preview).getKeepScreenOn());
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

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import android.content.Intent;
import android.provider.Settings;
import android.util.Size;
import android.view.View;
import androidx.camera.core.CameraState;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.lifecycle.ProcessCameraProvider;
import mobileq.core.manifest.ChannelOrder;
import mobileq.core.manifest.Interpolation;
import mobileq.core.manifest.Layout;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.ResizeMode;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers;

/** What is asked of the camera, and what is said where it gives nothing. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class CameraTest extends ScreenTest {
    private void become(CameraState state) {
        app.camera().state.setValue(state);
        app.settle();
    }

    private void fail(int code) {
        become(
                CameraState.create(
                        CameraState.Type.CLOSED,
                        CameraState.StateError.create(code, new Exception("why"))));
    }

    private void assertSaid(String start, String action) {
        assertTrue(app.text(R.id.message), app.text(R.id.message).startsWith(start));
        assertTrue(app.isVisible(R.id.message) && app.isVisible(R.id.action));
        assertEquals(action, app.text(R.id.action));
    }

    @Test
    public void aCameraThatGivesNothingIsASentenceAndSomethingToDo() throws Exception {
        app = new AppUnderTest(true);
        assertFalse(app.isVisible(R.id.message));
        fail(CameraState.ERROR_CAMERA_IN_USE);
        assertSaid("Another app uses the camera", "Try again");
        fail(CameraState.ERROR_MAX_CAMERAS_IN_USE);
        assertSaid("Another app uses the camera", "Try again");
        app.screenshot("in-use");
        fail(CameraState.ERROR_CAMERA_DISABLED);
        assertSaid("The camera is switched off", "Settings");
        app.click(R.id.action);
        Intent opened = Shadows.shadowOf(app.activity).getNextStartedActivity();
        assertEquals(Settings.ACTION_SETTINGS, opened.getAction());
        Shadows.shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        app.click(R.id.action);
        assertEquals("This device has no app for its settings.", app.text(R.id.notice_text));
        fail(CameraState.ERROR_DO_NOT_DISTURB_MODE_ENABLED);
        assertSaid("This device does not open its camera while", "Settings");
        fail(CameraState.ERROR_CAMERA_FATAL_ERROR);
        assertSaid("The camera cannot be started: why", "Try again");
        int before = app.camera().bound;
        app.click(R.id.action);
        assertEquals(before + 1, app.camera().bound);
        become(CameraState.create(CameraState.Type.OPEN));
        assertFalse(app.isVisible(R.id.message) || app.isVisible(R.id.action));
    }

    @Test
    public void aCameraThatIsTakenAndGivenBackShowsItsPictureAgain() throws Exception {
        app = new AppUnderTest(true);
        fail(CameraState.ERROR_CAMERA_IN_USE);
        become(CameraState.create(CameraState.Type.OPENING));
        assertTrue(app.isVisible(R.id.message));
        become(CameraState.create(CameraState.Type.OPEN));
        assertFalse(app.isVisible(R.id.message));
    }

    /** As Android hands out where the camera's switch among the privacy settings is off. */
    @Test
    public void framesWithoutAPictureAreASentenceUntilThereIsOne() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        CameraFrame black = frame.blackened();
        for (int i = 0; i < 9; i++) {
            app.deliver(black);
            assertFalse(app.isVisible(R.id.message));
        }
        app.deliver(black);
        assertSaid("The camera\u2019s picture is black", "Settings");
        app.deliver(frame);
        assertFalse(app.isVisible(R.id.message));
        assertSame(frame, app.shown());
    }

    private static Size wanted(int width, int height, ResizeMode mode, int edge) {
        double[] ones = {1, 1, 1};
        return CameraBinding.wanted(
                new PreprocessSpec(
                        width,
                        height,
                        mode,
                        0,
                        ChannelOrder.RGB,
                        1,
                        ones,
                        ones,
                        Layout.NCHW,
                        Interpolation.BILINEAR,
                        false,
                        edge));
    }

    @Test
    public void framesAreAsLargeAsTheModelWantsAndNoLarger() throws Exception {
        app = new AppUnderTest(true);
        Size asked = app.analysis().getResolutionSelector().getResolutionStrategy().getBoundSize();
        assertEquals("of 160 x 160", new Size(640, 480), asked);
        assertEquals(
                ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST, app.analysis().getBackpressureStrategy());
        assertEquals(new Size(640, 480), wanted(640, 640, ResizeMode.LETTERBOX, 0));
        assertEquals(new Size(1280, 960), wanted(1280, 736, ResizeMode.LETTERBOX, 0));
        assertEquals(new Size(854, 640), wanted(640, 640, ResizeMode.STRETCH, 0));
        assertEquals(new Size(768, 576), wanted(518, 518, ResizeMode.CENTER_CROP, 576));
        assertEquals(new Size(1920, 1440), wanted(4096, 4096, ResizeMode.LETTERBOX, 0));
    }

    @Test
    public void anotherSizeOfThePictureDoesNotStartTheCameraAnew() throws Exception {
        app = new AppUnderTest(true);
        ProcessCameraProvider camera = app.camera();
        int before = camera.bound;
        app.changeConfiguration("+land");
        app.changeConfiguration("+port");
        app.click(R.id.adjust);
        app.controller.pause().stop();
        app.controller.restart().start().resume();
        app.settle();
        assertEquals(before, camera.bound);
        app.click(R.id.full_screen); // only a part of its picture counts then
        assertEquals(before + 1, camera.bound);
        app.changeConfiguration("+land"); // and here another part
        assertNotNull(camera.boundUseCases.getViewPort());
        assertTrue(camera.bound > before + 1);
    }

    @Test
    public void theLightIsWhereTheCameraHasOne() throws Exception {
        app = new AppUnderTest(true);
        assertTrue(app.isVisible(R.id.torch));
        app.click(R.id.torch);
        assertTrue(app.camera().isTorchOn);
        assertEquals("Light off", app.text(R.id.torch));
        app.click(R.id.full_screen); // which starts the camera anew
        assertTrue(app.camera().isTorchOn);
        app.click(R.id.stage);
        app.click(R.id.other_camera);
        assertEquals(View.INVISIBLE, app.activity.findViewById(R.id.torch).getVisibility());
        app.click(R.id.other_camera);
        assertFalse(app.camera().isTorchOn);
        assertEquals("Light on", app.text(R.id.torch));
    }

    @Test
    public void twoFingersZoomAsFarAsTheCameraGoes() throws Exception {
        app = new AppUnderTest(true);
        Viewfinder viewfinder = ReflectionHelpers.getField(app.activity, "viewfinder");
        viewfinder.zoomBy(1.5f);
        assertEquals(1.5f, app.camera().zoomRatio, 0);
        viewfinder.zoomBy(9);
        assertEquals(4, app.camera().zoomRatio, 0);
        viewfinder.zoomBy(0.01f);
        assertEquals(1, app.camera().zoomRatio, 0);
    }
}

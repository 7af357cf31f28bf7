package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.Color;
import android.graphics.Matrix;
import android.graphics.RectF;
import android.view.View;
import androidx.camera.core.ImageProxy;
import androidx.camera.view.PreviewView;
import mobileq.core.image.Frame;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers;
import org.robolectric.util.ReflectionHelpers.ClassParameter;

/** What stands still, and stays so whatever becomes of the screen. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PauseTest extends ScreenTest {
    @Test
    public void whilePausedThePictureStandsStillWithItsBoxes() throws Exception {
        CameraFrame frame = pause();
        assertEquals("Resume", app.text(R.id.pause));
        assertSame(frame, app.shown());
        Bitmap paused = app.screenshot("paused");
        CameraFrame next = CameraFrame.read("tflite-fp32-90");
        PreviewView view = app.activity.findViewById(R.id.preview);
        view.showPicture(
                next.bitmap(), next.frameToView(view.getWidth(), view.getHeight(), false));
        app.analysis().deliver(next);
        app.settle();
        assertTrue(next.isClosed);
        assertSame(frame, app.shown());
        assertTrue("another picture is shown", paused.sameAs(app.screenshot("paused")));
        app.click(R.id.pause);
        assertFalse(app.isVisible(R.id.photo));
        app.deliver(next);
        assertSame(next, app.shown());
    }

    @Test
    public void aFrameThatWasOnItsWayWhenItPausedIsNotShown() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.click(R.id.pause);
        FrameAnalyzer analyzer = app.kept().analyzer();
        ReflectionHelpers.callInstanceMethod(
                analyzer,
                "copy",
                ClassParameter.from(ImageProxy.class, CameraFrame.read("tflite-fp32-0")));
        Inference inference = ReflectionHelpers.getField(app.activity, "inference");
        Frame late = ReflectionHelpers.getField(analyzer, "frame");
        inference.thread().execute(() -> inference.analyse(late));
        app.settle();
        assertEquals(0, app.shown().count());
    }

    @Test
    public void pauseAndFullScreenStayWhereTheScreenIsMadeAnew() throws Exception {
        app = new AppUnderTest(true);
        app.click(R.id.pause);
        app.click(R.id.full_screen);
        MainActivity before = app.activity;
        app.changeConfiguration("+xxhdpi");
        assertNotSame(before, app.activity);
        assertEquals("Resume", app.text(R.id.pause));
        assertFalse(app.isVisible(R.id.panel));
        app.click(R.id.stage);
        app.click(R.id.pause);
        app.changeConfiguration("+xhdpi");
        assertEquals("Pause", app.text(R.id.pause));
        assertTrue(app.isVisible(R.id.panel));
    }

    /** A frame that is paused at, on the CPU. */
    private CameraFrame pause() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        app.click(R.id.pause);
        return frame;
    }

    private static RectF place(View view) {
        int[] corner = new int[2];
        view.getLocationInWindow(corner);
        RectF place = new RectF(0, 0, view.getWidth(), view.getHeight());
        place.offset(corner[0], corner[1]);
        return place;
    }

    @Test
    public void whereThePhoneIsTurnedThePausedPictureAndItsBoxesStayTogether() throws Exception {
        CameraFrame frame = pause();
        RectF before = place(app.activity.findViewById(R.id.stage));
        RectF box = app.onScreen(frame, frame.detections[0]);
        MainActivity activity = app.activity;
        app.changeConfiguration("+land");
        assertEquals(activity, app.activity);
        assertEquals("Resume", app.text(R.id.pause));
        assertSame(frame, app.shown());
        Matrix moved = new Matrix();
        RectF now = place(app.activity.findViewById(R.id.stage));
        moved.setRectToRect(before, now, Matrix.ScaleToFit.CENTER);
        moved.mapRect(box);
        Bitmap screen = app.screenshot("paused-turned");
        int line = screen.getPixel(Math.round(box.left), Math.round(box.centerY()));
        float[] hsv = new float[3];
        Color.colorToHSV(line, hsv);
        assertTrue("no line at " + box, hsv[1] > 0.5 && hsv[2] > 0.85);
        int middle = screen.getPixel(Math.round(now.centerX()), Math.round(now.centerY()));
        assertNotEquals("the picture is elsewhere", Color.BLACK, middle);
    }

    @Test
    public void whereTheScreenIsMadeAnewThePausedPictureAndItsBoxesStay() throws Exception {
        CameraFrame frame = pause();
        MainActivity before = app.activity;
        app.changeConfiguration("+night");
        assertNotSame(before, app.activity);
        assertEquals("Resume", app.text(R.id.pause));
        assertTrue(app.isVisible(R.id.photo));
        assertSame(frame, app.shown());
        app.click(R.id.full_screen);
        assertTrue(app.isVisible(R.id.photo));
        app.click(R.id.stage);
        app.click(R.id.pause);
        assertFalse(app.isVisible(R.id.photo));
        assertEquals("Pause", app.text(R.id.pause));
    }

    @Test
    public void whatIsSetWhilePausedCountsForThePausedPicture() throws Exception {
        CameraFrame frame = pause();
        slide(R.id.score, 99);
        app.settle();
        assertEquals(0, app.shown().count());
        slide(R.id.score, 25);
        app.settle();
        assertSame(frame, app.shown());
        app.choose(R.id.models, "tflite-int8");
        assertSame(CameraFrame.read("tflite-int8-0"), app.shown());
    }
}

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertTrue;

import android.net.Uri;
import android.os.Looper;
import android.view.View;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import mobileq.core.image.Frame;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers.ClassParameter;
import org.robolectric.util.ReflectionHelpers;

@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PhotoTest extends ScreenTest {
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
    public void inFullScreenOnlyWhatIsShownOfAPhotoIsAnalysed() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/5", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        int all = app.shown().count();
        app.click(R.id.full_screen);
        app.settle();
        Viewfinder viewfinder = ReflectionHelpers.getField(app.activity, "viewfinder");
        Frame frame = viewfinder.photo().frame;
        View stage = app.activity.findViewById(R.id.stage);
        assertEquals(frame.height, frame.cropHeight);
        assertEquals(frame.height * stage.getWidth() / stage.getHeight(), frame.cropWidth, 1);
        assertEquals((frame.width - frame.cropWidth) / 2, frame.cropLeft, 1);
        assertTrue(app.shown().count() < all);
        for (int i = 0; i < app.shown().count(); i++) {
            assertTrue(app.shown().left(i) >= frame.cropLeft);
            assertTrue(app.shown().right(i) <= frame.cropLeft + frame.cropWidth);
        }
        app.screenshot("photo-full-screen");
        app.click(R.id.stage);
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
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
    public void aFileThatIsNoPhotoIsASentence() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/2", new byte[9]);
        app.settle();
        assertTrue(app.text(R.id.message).startsWith("The photo cannot be read: "));
    }
}

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertTrue;

import android.content.Intent;
import android.os.Looper;
import android.provider.MediaStore;
import android.view.View;
import androidx.activity.OnBackPressedDispatcher;
import mobileq.core.image.Frame;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PhotoTest extends ScreenTest {
    @Test
    public void aPickedPhotoIsAnalysedAsTheCameraIs() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/1", photo());
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
        pick("content://photos/5", photo());
        app.settle();
        int all = app.shown().count();
        app.click(R.id.full_screen);
        app.settle();
        Frame frame = app.kept().picked().photo().frame;
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
        pick("content://photos/4", photo());
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
        pick("content://photos/3", photo());
        app.close(); // the photo is read to its end
        Shadows.shadowOf(Looper.getMainLooper()).idle();
        app = null;
    }

    @Test
    public void photosAndVideosAreChosenWithAndroidsPhotoPicker() throws Exception {
        app = new AppUnderTest(true);
        app.pick(R.string.pick_photos);
        Intent asked = Shadows.shadowOf(app.activity).getNextStartedActivityForResult().intent;
        assertEquals(MediaStore.ACTION_PICK_IMAGES, asked.getAction());
    }

    @Test
    public void backLeavesTheFullScreenThenThePhotoThenTheApp() throws Exception {
        app = new AppUnderTest(true);
        OnBackPressedDispatcher back = app.activity.getOnBackPressedDispatcher();
        assertFalse(back.hasEnabledCallbacks());
        app.click(R.id.pause);
        pick("content://photos/6", photo());
        app.settle();
        app.click(R.id.full_screen);
        back.onBackPressed();
        app.settle();
        assertTrue(app.isVisible(R.id.panel) && app.isVisible(R.id.photo));
        back.onBackPressed();
        app.settle();
        assertFalse(app.isVisible(R.id.photo));
        assertEquals("the camera stands still", "Pause", app.text(R.id.pause));
        assertFalse(back.hasEnabledCallbacks());
    }

    @Test
    public void whereNoAppOffersPhotosASentenceSaysSo() throws Exception {
        app = new AppUnderTest(true);
        Shadows.shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        for (int words : new int[] {R.string.pick_photos, R.string.pick_folder}) {
            app.pick(words);
            String said = app.text(R.id.notice_text);
            assertTrue(said, said.startsWith("This device has no app"));
        }
    }

    @Test
    public void aFileThatIsNoPhotoIsASentence() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/2", new byte[9]);
        app.settle();
        assertTrue(app.text(R.id.notice_text).startsWith("The photo cannot be read: "));
    }
}

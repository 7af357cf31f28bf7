package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.tensorflow.lite.Interpreter;

/** With a bundle whose manifest does not describe its files. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class BrokenBundleTest {
    @Test
    public void whatIsWrongIsASentenceOnTheScreen() throws Exception {
        try (AppUnderTest app = new AppUnderTest(true)) {
            if (app.camera() != null) {
                app.choose(R.id.devices, "CPU");
                app.deliver(CameraFrame.read("tflite-fp32-0"));
                assertEquals(0, app.shown().count());
            }
            assertTrue(app.isVisible(R.id.message));
            String expected = System.getProperty("expected");
            assertTrue(app.text(R.id.message), app.text(R.id.message).contains(expected));
            app.screenshot("broken");
        }
        assertEquals(0, Interpreter.open);
    }
}

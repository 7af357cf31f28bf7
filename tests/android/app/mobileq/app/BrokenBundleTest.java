package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.text.Editable;
import android.text.TextWatcher;
import android.widget.TextView;
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
                TextView message = app.activity.findViewById(R.id.message);
                int[] changes = new int[1];
                for (int frame = 0; frame < 3; frame++) {
                    app.deliver(CameraFrame.read("tflite-fp32-0"));
                    assertEquals(0, app.shown().count());
                    if (frame == 0) { // said once, not again for every frame
                        message.addTextChangedListener(counting(changes));
                    }
                }
                assertEquals(0, changes[0]);
            }
            assertTrue(app.isVisible(R.id.message));
            String expected = System.getProperty("expected");
            assertTrue(app.text(R.id.message), app.text(R.id.message).contains(expected));
            app.screenshot("broken");
        }
        assertEquals(0, Interpreter.open);
    }

    private static TextWatcher counting(int[] changes) {
        return new TextWatcher() {
            @Override
            public void beforeTextChanged(CharSequence text, int start, int count, int after) {}

            @Override
            public void onTextChanged(CharSequence text, int start, int before, int count) {
                changes[0]++;
            }

            @Override
            public void afterTextChanged(Editable text) {}
        };
    }
}

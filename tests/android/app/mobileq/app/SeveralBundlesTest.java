package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import android.widget.ListView;
import java.util.ArrayList;
import java.util.List;
import mobileq.app.classify.ClassesView;
import mobileq.app.detect.BoxesView;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowAlertDialog;
import org.tensorflow.lite.Interpreter;

/** With the bundles of a detector and of a classifier in one app. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class SeveralBundlesTest extends ScreenTest {
    /** A file of another bundle makes the screen anew. */
    private void chooseOfAnother(String start) {
        MainActivity before = app.activity;
        app.choose(R.id.models, start);
        app.activity = app.controller.get();
        assertTrue("the screen is that of the other model", before != app.activity);
        app.settle();
    }

    @Test
    public void theListNamesModelAndFileOfAllAndEachIsShownInItsOwnWay() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        ListView list = app.list(R.id.models);
        List<String> starts = new ArrayList<>();
        for (int i = 0; i < list.getCount(); i++) {
            String[] parts = list.getItemAtPosition(i).toString().split(" · ");
            starts.add(parts[0] + " " + parts[1]);
        }
        ShadowAlertDialog.getLatestAlertDialog().dismiss();
        assertEquals(
                List.of(
                        "demo tflite-fp32",
                        "demo tflite-int8",
                        "demo mnn-fp32",
                        "demo mnn-int8",
                        "colours tflite-fp32"),
                starts);
        CameraFrame frame = CameraFrame.read("tflite-fp32-0");
        app.deliver(frame);
        assertSame(frame, app.shown());

        chooseOfAnother("colours");
        assertTrue(app.answer() instanceof ClassesView);
        app.deliver(frame);
        assertTrue(app.heard(), app.heard().contains("bright"));
        assertFalse(app.isVisible(R.id.adjust));
        assertEquals(1, Interpreter.open);
        app.screenshot("several");

        app.close();
        app = new AppUnderTest(true); // what was chosen is remembered
        assertTrue(app.answer() instanceof ClassesView);
        assertTrue(app.marked(R.id.models).startsWith("colours · tflite-fp32 · "));

        chooseOfAnother("demo · tflite-int8");
        assertTrue(app.answer() instanceof BoxesView);
        CameraFrame integers = CameraFrame.read("tflite-int8-0");
        app.deliver(integers);
        assertSame(integers, app.shown());
    }
}

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.Color;
import android.graphics.RectF;
import android.view.View;
import android.view.ViewGroup;
import java.util.List;
import java.util.function.IntPredicate;
import mobileq.core.classify.TopClasses;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Records;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers;
import org.tensorflow.lite.Interpreter;

/** With a bundle whose model tells classes: {@code expected} is what Python says of the frames. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class ClassifierTest {
    private static final double SCORE = 0.002;

    private static void assertListed(String expected, List<TopClasses> best, String heard) {
        String[] lines = expected.split(", ");
        String[] words = heard.replace("most likely ", "").split(", ");
        assertEquals(heard, lines.length + 1, words.length);
        int line = 0;
        for (TopClasses each : best) {
            for (int rank = 0; rank < each.count(); rank++, line++) {
                int space = lines[line].lastIndexOf(' ');
                String label = lines[line].substring(0, space);
                String said = label + " " + Math.round(100 * each.score(rank)) + " %";
                assertEquals(said, words[line + 1]);
                double score = Double.parseDouble(lines[line].substring(space));
                assertEquals(heard, score, each.score(rank), SCORE);
            }
        }
        assertEquals(heard, lines.length, line);
    }

    /** What is kept of a picture for other apps has the same classes in the same order. */
    private static void assertKept(String expected, AnswerView view) {
        ModelSpec model = ReflectionHelpers.getField(view, "model");
        Records records = view.task().records(model);
        records.add(new Records.Picture("a.png", 320, 240), new Frame());
        String json = records.json();
        assertTrue(json, json.startsWith("[{\"file_name\":\"a.png\",\"width\":320,"));
        int at = 0;
        for (String line : expected.split(", ")) {
            String[] parts = line.split(" ");
            at = json.indexOf("\"label\":\"" + parts[parts.length - 2] + "\"", at + 1);
            assertTrue(line + " is not in its place in " + json, at > 0);
        }
    }

    /** How many pixels of the lowest part of the picture are as white as its letters. */
    private static int letters(AppUnderTest app, Bitmap screen) {
        return count(app, screen, pixel -> Color.red(pixel) > 250);
    }

    /** How many are blue, as bars are. */
    private static int bars(AppUnderTest app, Bitmap screen) {
        return count(app, screen, pixel -> Color.blue(pixel) - Color.red(pixel) > 60);
    }

    private static int count(AppUnderTest app, Bitmap screen, IntPredicate counts) {
        View view = app.answer();
        int[] corner = new int[2];
        view.getLocationInWindow(corner);
        int bottom = corner[1] + view.getHeight();
        int found = 0;
        for (int y = bottom - view.getHeight() / 4; y < bottom; y++) {
            for (int x = corner[0]; x < Math.min(screen.getWidth(), corner[0] + view.getWidth()); x++) {
                found += counts.test(screen.getPixel(x, y)) ? 1 : 0;
            }
        }
        return found;
    }

    @Test
    public void theBestClassesAreListedAndNothingIsToBeSet() throws Exception {
        try (AppUnderTest app = new AppUnderTest(true)) {
            app.choose(R.id.devices, "CPU");
            ViewGroup controls = app.activity.findViewById(R.id.controls);
            assertEquals(0, controls.getChildCount());
            assertNull(app.activity.findViewById(R.id.score));
            assertNull(app.activity.findViewById(R.id.iou));
            assertEquals("Picture", app.heard());
            List<TopClasses> best = ReflectionHelpers.getField(app.answer(), "best");
            for (int rotation = 0; rotation < 360; rotation += 90) {
                app.deliver(CameraFrame.read("tflite-fp32-" + rotation));
                assertListed(System.getProperty("expected"), best, app.heard());
            }
            assertKept(System.getProperty("expected"), app.answer());
            String status = app.text(R.id.status);
            assertTrue(status, status.contains("CPU, threads: "));
            Bitmap screen = app.screenshot(System.getProperty("case"));
            int listed = letters(app, screen);
            int bars = bars(app, screen);
            app.click(R.id.other_camera);
            assertEquals("Picture", app.heard());
            Bitmap empty = app.screenshot(System.getProperty("case") + "-empty");
            int cleared = letters(app, empty);
            assertTrue(listed + " and " + cleared, listed > cleared + 500);
            int without = bars(app, empty);
            assertTrue(bars + " and " + without, bars > without + 2000);
        }
        assertEquals(0, Interpreter.open);
    }

    /** In each half of a row. */
    @Test
    public void whereReadingGoesFromTheRightBarsStartThere() throws Exception {
        for (String locale : new String[] {"en-", "ar-ldrtl-"}) {
            RuntimeEnvironment.setQualifiers(locale + "w411dp-h891dp-port-hdpi");
            try (AppUnderTest app = new AppUnderTest(true)) {
                app.choose(R.id.devices, "CPU");
                app.deliver(CameraFrame.read("tflite-fp32-0"));
                Bitmap screen = app.screenshot(System.getProperty("case") + "-" + locale);
                int half = screen.getWidth() / 2;
                int height = screen.getHeight();
                int left = bars(app, Bitmap.createBitmap(screen, 0, 0, half, height));
                int right = bars(app, Bitmap.createBitmap(screen, half, 0, half, height));
                assertTrue(left + " and " + right, locale.equals("en-") == left > right);
            }
        }
    }

    @Test
    public void theListLiesOverNothingElseThatIsWritten() throws Exception {
        for (String size : SizesTest.SIZES) {
            RuntimeEnvironment.setQualifiers(size + "-hdpi");
            try (AppUnderTest app = new AppUnderTest(true)) {
                app.choose(R.id.devices, "CPU");
                app.deliver(CameraFrame.read("tflite-fp32-0"));
                Screen screen = ReflectionHelpers.getField(app.activity, "screen");
                screen.warn("This device’s GPU does not give what its CPU gives.", () -> {});
                screen.notice.say("Picture 3 of 12", R.string.enough, () -> {}, false);
                app.settle();
                app.screenshot(System.getProperty("case") + "-" + size);
                RectF list = ReflectionHelpers.getField(app.answer(), "place");
                assertTrue(size + ": nothing is listed", list.height() > 0);
                for (RectF other : app.overPicture()) {
                    assertFalse(
                            size + ": " + list + " over " + other, RectF.intersects(list, other));
                }
            }
        }
    }
}

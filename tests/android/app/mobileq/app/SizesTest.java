package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.graphics.Rect;
import android.net.Uri;
import android.os.Looper;
import android.os.SystemClock;
import android.text.Layout;
import android.view.View;
import android.view.ViewGroup;
import android.widget.TextView;
import androidx.camera.core.CameraState;
import androidx.core.graphics.Insets;
import androidx.core.view.ViewCompat;
import androidx.core.view.WindowInsetsCompat;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.util.ReflectionHelpers;
import org.tensorflow.lite.gpu.GpuDelegate;

/**
 * Every state of the screen at every size: the actions are in sight, nothing that is written is cut
 * or lies over something else.
 */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class SizesTest extends ScreenTest {
    private static final int[] ACTIONS = {
        R.id.pick_photo, R.id.pause, R.id.other_camera, R.id.torch, R.id.full_screen, R.id.share
    };
    private static final int[] WRITTEN = {
        R.id.inference, R.id.rate, R.id.status, R.id.message, R.id.action, R.id.warning,
        R.id.use_cpu, R.id.notice_text, R.id.notice_action
    };
    static final String[] SIZES = {
        "w320dp-h533dp-port", "w411dp-h891dp-port", "w800dp-h1280dp-port",
        "w533dp-h320dp-land", "w891dp-h411dp-land", "w1280dp-h800dp-land"
    };
    private static final int[] CHIPS = {R.id.models, R.id.devices};
    private static final int SMALLEST_DP = 48;

    private int statusBar;
    private int navigationBar;
    private int notch;

    private void checkAll(String locale, String mode, float fontScale, String name)
            throws Exception {
        checkAll(SIZES, locale, mode, fontScale, name);
    }

    private void checkAll(
            String[] sizes, String locale, String mode, float fontScale, String name)
            throws Exception {
        for (String size : sizes) {
            RuntimeEnvironment.setQualifiers(locale + size + mode + "-hdpi");
            RuntimeEnvironment.setFontScale(fontScale);
            String here = name + "-" + size.replaceAll("dp-|dp", "").replace("w", "").replace("h", "x");
            app = new AppUnderTest(true);
            float density = app.activity.getResources().getDisplayMetrics().density;
            statusBar = Math.round(24 * density);
            navigationBar = Math.round(24 * density);
            notch = size.endsWith("land") ? Math.round(30 * density) : 0;
            app.choose(R.id.devices, "CPU");
            deliverTwo();
            check(here + "-live");
            app.click(R.id.adjust);
            check(here + "-adjust");
            app.click(R.id.adjust);
            app.click(R.id.full_screen);
            app.deliver(CameraFrame.read("tflite-fp32-90"));
            check(here + "-full");
            app.click(R.id.stage);
            checkSeries(here);
            app.camera().state.setValue(
                    CameraState.create(
                            CameraState.Type.CLOSED,
                            CameraState.StateError.create(CameraState.ERROR_CAMERA_DISABLED)));
            app.settle();
            check(here + "-error");
            app.close();
        }
        app = null;
    }

    /** So that there is a rate. */
    private void deliverTwo() throws Exception {
        for (int i = 0; i < 2; i++) {
            shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(250));
            CameraFrame frame = CameraFrame.read("tflite-fp32-0");
            frame.takenNanos = SystemClock.elapsedRealtimeNanos() - 42_000_000;
            app.deliver(frame);
        }
        assertTrue(app.isVisible(R.id.rate));
    }

    /** Under what the self-check says of a GPU that answers wrongly. */
    private void checkSeries(String here) throws Exception {
        GpuDelegate.factor = 0.6f;
        app.choose(R.id.devices, "GPU");
        app.deliver(CameraFrame.read("tflite-fp32-0"));
        assertTrue(app.isVisible(R.id.warning));
        assertTrue(app.isVisible(R.id.use_cpu));
        check(here + "-warning");
        startSeries();
        check(here + "-series");
        app.kept().inference().start();
        ReflectionHelpers.<Viewfinder>getField(app.activity, "viewfinder").show();
        for (int round = 0; round < 9 && app.kept().picked().isRunning(); round++) {
            app.settle();
        }
        check(here + "-series-ended");
        app.click(R.id.full_screen);
        check(here + "-series-full");
        app.click(R.id.stage);
        app.click(R.id.pick_photo);
        app.click(R.id.use_cpu);
        GpuDelegate.factor = null;
    }

    /** A series that has shown one picture, and waits for the model at the second. */
    private void startSeries() throws Exception {
        byte[] photo = Files.readAllBytes(Path.of(System.getProperty("photo")));
        Uri uri = Uri.parse("content://photos/a.png");
        shadowOf(app.activity.getContentResolver())
                .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(photo));
        app.activity.onPicked(List.of(uri, uri));
        Picked picked = app.kept().picked();
        Inference inference = app.kept().inference();
        while (picked.photo() == null) {
            inference.thread().submit(() -> {}).get();
            shadowOf(Looper.getMainLooper()).runOneTask();
        }
        inference.thread().submit(() -> {}).get();
        assertTrue("no labels", app.shown().count() > 0);
        inference.stop();
        app.settle();
        assertEquals(2, picked.series().done());
        assertTrue(app.isVisible(R.id.notice_action));
    }

    private void check(String where) throws Exception {
        ViewGroup root = app.activity.findViewById(R.id.root);
        boolean isFull = !app.isVisible(R.id.panel);
        if (!isFull) {
            ViewCompat.dispatchApplyWindowInsets(
                    root,
                    new WindowInsetsCompat.Builder()
                            .setInsets(
                                    WindowInsetsCompat.Type.systemBars(),
                                    Insets.of(0, statusBar, 0, navigationBar))
                            .setInsets(
                                    WindowInsetsCompat.Type.displayCutout(),
                                    Insets.of(notch, 0, 0, 0))
                            .build());
            for (int round = 0; round < 3; round++) {
                app.settle();
                layOut(root);
            }
        }
        app.screenshot(where);
        if (!isFull) {
            checkActions(where, root);
        }
        checkWritten(where, root, isFull);
        assertLabelsAreApart(where);
    }

    private static void layOut(View root) {
        View decor = root.getRootView();
        int exactly = View.MeasureSpec.EXACTLY;
        decor.measure(
                View.MeasureSpec.makeMeasureSpec(decor.getWidth(), exactly),
                View.MeasureSpec.makeMeasureSpec(decor.getHeight(), exactly));
        decor.layout(0, 0, decor.getWidth(), decor.getHeight());
    }

    private static Rect place(View view) {
        int[] corner = new int[2];
        view.getLocationInWindow(corner);
        return new Rect(
                corner[0], corner[1], corner[0] + view.getWidth(), corner[1] + view.getHeight());
    }

    private void checkActions(String where, View root) {
        Rect safe =
                new Rect(
                        notch, statusBar, root.getWidth(), root.getHeight() - navigationBar);
        float density = root.getResources().getDisplayMetrics().density;
        List<Rect> places = new ArrayList<>();
        for (int id : ACTIONS) {
            View button = app.activity.findViewById(id);
            String what = where + ": " + button.getContentDescription();
            Rect place = place(button);
            Rect seen = new Rect();
            assertTrue(what + " is not in sight", button.getGlobalVisibleRect(seen));
            assertEquals(what + " is cut off", place, seen);
            assertTrue(what + " at " + place + " lies under a bar", safe.contains(place));
            assertTrue(what + " is too small", place.width() >= SMALLEST_DP * density - 1);
            assertTrue(what + " is too small", place.height() >= SMALLEST_DP * density - 1);
            for (Rect other : places) {
                assertFalse(what + " lies over another", Rect.intersects(place, other));
            }
            places.add(place);
        }
    }

    private void checkWritten(String where, View root, boolean isFull) {
        Rect screen = new Rect(0, 0, root.getWidth(), root.getHeight());
        Rect panel = place(app.activity.findViewById(R.id.panel));
        List<Rect> places = new ArrayList<>();
        for (int id : WRITTEN) {
            TextView text = app.activity.findViewById(id);
            if (!text.isShown()) {
                continue;
            }
            String what = where + ": " + text.getText();
            Rect place = place(text);
            assertTrue(what + " leaves the screen: " + place, screen.contains(place));
            boolean isUnfolded = app.isVisible(R.id.details);
            assertFalse(
                    what + " lies over the sheet",
                    !isFull && !isUnfolded && Rect.intersects(place, panel));
            for (Rect other : places) {
                assertFalse(what + " lies over another", Rect.intersects(place, other));
            }
            places.add(place);
            assertWhole(what, text);
        }
        for (int id : isFull ? new int[0] : CHIPS) { // which may be scrolled to
            assertWhole(where, app.activity.findViewById(id));
        }
        if (!isFull) {
            assertStartIsSeen(where, app.activity.findViewById(R.id.models));
        }
        for (int id : new int[] {R.id.inference, R.id.rate, R.id.status}) {
            TextView measured = app.activity.findViewById(id);
            if (measured.isShown()) {
                assertInOrder(where, measured.getLayout());
            }
        }
    }

    /** The first chip begins in sight, on the side where reading begins. */
    private static void assertStartIsSeen(String what, View chip) {
        Rect seen = new Rect();
        Rect place = place(chip);
        assertTrue(what + ": the first chip is not in sight", chip.getGlobalVisibleRect(seen));
        boolean isFromRight = chip.getLayoutDirection() == View.LAYOUT_DIRECTION_RTL;
        assertEquals(
                what + ": the first chip begins out of sight",
                isFromRight ? place.right : place.left,
                isFromRight ? seen.right : seen.left);
    }

    /** Words and numbers of a line stand beside each other as they follow each other. */
    private static void assertInOrder(String what, Layout layout) {
        String text = layout.getText().toString();
        for (int line = 0; line < layout.getLineCount(); line++) {
            float last = Float.NEGATIVE_INFINITY;
            boolean isNew = true;
            for (int at = layout.getLineStart(line); at < layout.getLineEnd(line); at++) {
                char sign = text.charAt(at);
                if (Character.isWhitespace(sign)) {
                    isNew = true;
                } else if (isNew && Character.isLetterOrDigit(sign)) {
                    float x = layout.getParagraphDirection(line) * layout.getPrimaryHorizontal(at);
                    assertTrue(what + ": '" + text.substring(at) + "' is out of order", x > last);
                    last = x;
                    isNew = false;
                }
            }
        }
    }

    private static void assertWhole(String what, TextView text) {
        Layout lines = text.getLayout();
        int room = text.getHeight() - text.getCompoundPaddingTop() - text.getCompoundPaddingBottom();
        assertTrue(what + " is cut: " + text.getText(), lines.getHeight() <= room + 1);
        for (int line = 0; line < lines.getLineCount(); line++) {
            assertEquals(what + " is cut: " + text.getText(), 0, lines.getEllipsisCount(line));
        }
    }

    @Test
    public void byDay() throws Exception {
        checkAll("en-", "-notnight", 1, "day");
    }

    /** Only colours are others; all takes longer than any other test of the app. */
    @Test
    public void byNight() throws Exception {
        checkAll(new String[] {SIZES[0], SIZES[4]}, "en-", "-night", 1, "night");
    }

    @Test
    public void withLargeLetters() throws Exception {
        checkAll("en-", "-notnight", 1.5f, "large");
    }

    @Test
    public void inGerman() throws Exception {
        checkAll("de-", "-notnight", 1.3f, "german");
    }

    @Test
    public void fromRightToLeft() throws Exception {
        checkAll("ar-ldrtl-", "-notnight", 1, "right-to-left");
    }
}

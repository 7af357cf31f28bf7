package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import android.graphics.RectF;
import android.net.Uri;
import android.widget.SeekBar;
import com.taobao.android.mnn.MNNNetNative;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import mobileq.core.detect.Detections;
import org.junit.After;
import org.robolectric.Shadows;
import org.robolectric.util.ReflectionHelpers;
import org.robolectric.util.ReflectionHelpers.ClassParameter;
import org.tensorflow.lite.Interpreter;

/** Tests of the screen: the app that each opens, and whether it shows what Python finds. */
public abstract class ScreenTest {
    AppUnderTest app;

    @After
    public void close() {
        if (app != null) {
            app.close();
        }
        assertEquals("interpreters left open", 0, Interpreter.open);
        assertEquals("MNN's nets and sessions left open", 0, MNNNetNative.open);
    }

    /** What the system's picker does once a file of these bytes was chosen. */
    final void pick(String address, byte[] file) {
        pick(List.of(there(address, file)));
    }

    /** The address of a file that another app offers. */
    final Uri there(String address, byte[] file) {
        Uri uri = Uri.parse(address);
        Shadows.shadowOf(app.activity.getContentResolver())
                .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(file));
        return uri;
    }

    final void pick(List<Uri> picked) {
        app.activity.onPicked(picked);
    }

    static byte[] photo() throws Exception {
        return Files.readAllBytes(Path.of(System.getProperty("photo")));
    }

    final void slide(int id, int progress) {
        SeekBar slider = app.activity.findViewById(id);
        slider.setProgress(progress);
        Shadows.shadowOf(slider).getOnSeekBarChangeListener().onProgressChanged(slider, progress, true);
    }

    final void assertSame(CameraFrame frame, Detections found) {
        String said = frame.name + " " + app.text(R.id.message) + describe(found);
        assertEquals(said, frame.detections.length, found.count());
        // Two versions of TFLite round integers in different ways inside the model, MNN gets
        // pixels that it scales itself, and close scores may change places.
        boolean isInt8 = frame.name.contains("int8");
        double least = isInt8 ? 0.9 : 0.99;
        for (double[] wanted : frame.detections) {
            int best = 0;
            for (int i = 1; i < found.count(); i++) {
                best = iou(wanted, found, i) > iou(wanted, found, best) ? i : best;
            }
            assertTrue(
                    said + "; IoU " + iou(wanted, found, best), iou(wanted, found, best) > least);
            assertEquals(said, (int) wanted[5], found.classId(best));
            assertEquals(said, wanted[4], found.score(best), isInt8 ? 0.08 : 0.02);
        }
    }

    /** Labels are whole, in the picture's place, and over nothing else that is written there. */
    final void assertLabelsAreApart(String where) {
        AnswerView view = app.answer();
        if (!view.isShown()) { // a sentence stands in its place
            assertTrue(where, app.isVisible(R.id.message));
            return;
        }
        Object labels = ReflectionHelpers.getField(view, "labels");
        List<RectF> written = app.overPicture();
        int count = ReflectionHelpers.callInstanceMethod(labels, "count");
        for (int i = 0; i < count; i++) {
            RectF place =
                    ReflectionHelpers.callInstanceMethod(
                            labels, "place", ClassParameter.from(int.class, i));
            RectF whole = new RectF(0, 0, view.getWidth(), view.getHeight());
            assertTrue(where + ": cut off at " + place, whole.contains(place));
            for (RectF other : written) {
                assertFalse(
                        where + ": " + place + " over " + other, RectF.intersects(place, other));
            }
            written.add(place);
        }
    }

    final int labels() {
        Object labels = ReflectionHelpers.getField(app.answer(), "labels");
        return ReflectionHelpers.callInstanceMethod(labels, "count");
    }

    private static String describe(Detections found) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < found.count(); i++) {
            text.append(
                    String.format(
                            Locale.ROOT,
                            "; class %d %.3f at %.1f %.1f %.1f %.1f",
                            found.classId(i),
                            found.score(i),
                            found.left(i),
                            found.top(i),
                            found.right(i),
                            found.bottom(i)));
        }
        return text.toString();
    }

    private static double iou(double[] wanted, Detections found, int index) {
        double right = Math.min(wanted[2], found.right(index));
        double bottom = Math.min(wanted[3], found.bottom(index));
        double width = right - Math.max(wanted[0], found.left(index));
        double height = bottom - Math.max(wanted[1], found.top(index));
        double common = Math.max(0, width) * Math.max(0, height);
        double first = (wanted[2] - wanted[0]) * (wanted[3] - wanted[1]);
        double second =
                (found.right(index) - found.left(index))
                        * (found.bottom(index) - found.top(index));
        return common / (first + second - common);
    }
}

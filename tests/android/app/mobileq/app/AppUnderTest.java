package mobileq.app;

import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Application;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.RectF;
import android.os.Looper;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ListView;
import android.widget.PopupMenu;
import android.widget.TextView;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.UseCase;
import androidx.camera.lifecycle.ProcessCameraProvider;
import androidx.camera.view.PreviewView;
import androidx.core.content.FileProvider;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import mobileq.core.detect.Detections;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowPopupMenu;
import org.robolectric.util.ReflectionHelpers;

/** The activity, started, and what tests do to it. */
final class AppUnderTest implements AutoCloseable {
    private static final int[] WRITTEN = {
        R.id.inference, R.id.rate, R.id.status, R.id.warning, R.id.use_cpu, R.id.notice
    };

    final ActivityController<MainActivity> controller;
    MainActivity activity;

    AppUnderTest(boolean mayUseCamera) {
        Application application = RuntimeEnvironment.getApplication();
        // It keeps the folders of the test before, whose application had others.
        Map<?, ?> known = ReflectionHelpers.getStaticField(FileProvider.class, "sCache");
        known.clear();
        if (mayUseCamera) {
            shadowOf(application).grantPermissions(Manifest.permission.CAMERA);
        }
        controller = Robolectric.buildActivity(MainActivity.class).setup().visible();
        activity = controller.get();
        settle();
    }

    /** Goes on with the activity that Android made in place of the last, if it did. */
    void changeConfiguration(String qualifiers) {
        RuntimeEnvironment.setQualifiers(qualifiers);
        controller.configurationChange();
        activity = controller.get();
        settle();
    }

    /** Lets the main thread and the inference thread finish what they have. */
    void settle() {
        Inference inference = ReflectionHelpers.getField(activity, "inference");
        for (int round = 0; round < 3; round++) {
            shadowOf(Looper.getMainLooper()).idle();
            if (inference != null && !inference.thread().isShutdown()) {
                try {
                    inference.thread().submit(() -> {}).get(60, TimeUnit.SECONDS);
                } catch (Exception error) {
                    throw new AssertionError(error);
                }
            }
        }
        shadowOf(Looper.getMainLooper()).idle();
    }

    /** Null where the app did not get so far. */
    ProcessCameraProvider camera() {
        Viewfinder viewfinder = ReflectionHelpers.getField(activity, "viewfinder");
        if (viewfinder == null) {
            return null;
        }
        CameraBinding binding = ReflectionHelpers.getField(viewfinder, "camera");
        return ReflectionHelpers.getField(binding, "provider");
    }

    boolean isFront() {
        return camera().boundCamera == CameraSelector.DEFAULT_FRONT_CAMERA;
    }

    ImageAnalysis analysis() {
        for (UseCase useCase : camera().boundUseCases.getUseCases()) {
            if (useCase instanceof ImageAnalysis) {
                return (ImageAnalysis) useCase;
            }
        }
        throw new AssertionError("no analysis is bound");
    }

    void deliver(CameraFrame frame) {
        PreviewView view = activity.findViewById(R.id.preview);
        boolean isFront = isFront();
        view.setSensorToViewTransform(
                frame.sensorToView(view.getWidth(), view.getHeight(), isFront));
        view.showPicture(
                frame.bitmap(), frame.frameToView(view.getWidth(), view.getHeight(), isFront));
        frame.isClosed = false;
        analysis().deliver(frame);
        settle();
    }

    /** What goes on where the screen is made anew. */
    MainViewModel kept() {
        return ReflectionHelpers.getField(activity, "viewModel");
    }

    /** Null where the app did not get so far. */
    AnswerView answer() {
        return (AnswerView) ((ViewGroup) activity.findViewById(R.id.answer)).getChildAt(0);
    }

    Detections shown() {
        return ReflectionHelpers.getField(answer(), "detections");
    }

    /** What a reader of the screen says of the picture. */
    String heard() {
        return answer().createAccessibilityNodeInfo().getContentDescription().toString();
    }

    /** What stands on a view, or what readers call one that shows a picture. */
    String text(int id) {
        View view = activity.findViewById(id);
        CharSequence text =
                view instanceof TextView
                        ? ((TextView) view).getText()
                        : view.getContentDescription();
        return text.toString();
    }

    /** What readers call a view. */
    String described(int id) {
        return activity.findViewById(id).getContentDescription().toString();
    }

    /** Where something is written over the picture, in pixels of the answer's view. */
    List<RectF> overPicture() {
        int[] origin = new int[2];
        answer().getLocationInWindow(origin);
        List<RectF> places = new ArrayList<>();
        for (int id : WRITTEN) {
            View view = activity.findViewById(id);
            if (view.isShown()) {
                int[] at = new int[2];
                view.getLocationInWindow(at);
                RectF place = new RectF(0, 0, view.getWidth(), view.getHeight());
                place.offset(at[0] - origin[0], at[1] - origin[1]);
                places.add(place);
            }
        }
        return places;
    }

    boolean isVisible(int id) {
        return activity.findViewById(id).getVisibility() == View.VISIBLE;
    }

    void click(int id) {
        activity.findViewById(id).performClick();
        settle();
    }

    /** Lets the person pick, by a line of the menu. */
    void pick(int words) {
        click(R.id.pick_photo);
        PopupMenu menu = ShadowPopupMenu.getLatestPopupMenu();
        assertTrue(menu.getMenu().performIdentifierAction(words, 0));
        settle();
    }

    /** Opens the list behind a button. */
    ListView list(int id) {
        click(id);
        ListView list = ShadowAlertDialog.getLatestAlertDialog().getListView();
        assertTrue(list.isShown());
        return list;
    }

    /** Chooses the line of a list that starts with a text. */
    void choose(int id, String start) {
        ListView list = list(id);
        for (int i = 0; i < list.getCount(); i++) {
            if (list.getItemAtPosition(i).toString().startsWith(start)) {
                list.performItemClick(null, i, i);
                settle();
                return;
            }
        }
        throw new AssertionError("there is no " + start);
    }

    /** Which line of a list is marked. */
    String marked(int id) {
        ListView list = list(id);
        String marked = list.getItemAtPosition(list.getCheckedItemPosition()).toString();
        ShadowAlertDialog.getLatestAlertDialog().dismiss();
        settle();
        return marked;
    }

    /** The whole screen, as Android draws it; written where people can look at it, if they want. */
    Bitmap screenshot(String name) throws Exception {
        View root = activity.getWindow().getDecorView();
        Bitmap bitmap =
                Bitmap.createBitmap(root.getWidth(), root.getHeight(), Bitmap.Config.ARGB_8888);
        root.draw(new Canvas(bitmap));
        String wanted = System.getProperty("screenshots");
        if (!wanted.isEmpty()) { // it takes longer than all else
            Path folder = Files.createDirectories(Path.of(wanted));
            try (OutputStream file = Files.newOutputStream(folder.resolve(name + ".png"))) {
                bitmap.compress(Bitmap.CompressFormat.PNG, 100, file);
            }
        }
        return bitmap;
    }

    /** A box of the frame, in pixels of the whole screen. */
    RectF onScreen(CameraFrame frame, double[] xyxy) {
        View view = activity.findViewById(R.id.preview);
        RectF box = new RectF((float) xyxy[0], (float) xyxy[1], (float) xyxy[2], (float) xyxy[3]);
        frame.frameToView(view.getWidth(), view.getHeight(), isFront()).mapRect(box);
        int[] corner = new int[2];
        view.getLocationInWindow(corner);
        box.offset(corner[0], corner[1]);
        return box;
    }

    @Override
    public void close() {
        Inference inference = ReflectionHelpers.getField(activity, "inference");
        controller.pause().stop().destroy();
        try {
            if (inference != null && !inference.thread().awaitTermination(60, TimeUnit.SECONDS)) {
                throw new AssertionError("the inference thread goes on");
            }
        } catch (InterruptedException error) {
            throw new AssertionError(error);
        }
    }
}

package mobileq.app;

import android.Manifest;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Matrix;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import android.provider.Settings;
import android.view.View;
import androidx.activity.ComponentActivity;
import androidx.annotation.Nullable;
import androidx.core.content.ContextCompat;
import java.io.IOException;
import java.util.List;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;

/**
 * What is looked at and analysed: the camera, its picture held on to, a photo, or several pictures
 * one after the other; whole, or over the whole screen. Of the main thread.
 */
final class Viewfinder implements CameraBinding.Listener, Series.Listener {
    private final ComponentActivity activity;
    private final Screen screen;
    private final Choices choices;
    private final AnswerView answer;
    private final Inference inference;
    private final CameraBinding camera;
    private final Runnable askPermission;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final ModelSpec model;
    private volatile Photo photo;
    private volatile Series series;
    private CameraTrouble trouble;
    private String detail;
    private boolean isTorchOn;

    Viewfinder(
            ComponentActivity activity,
            Screen screen,
            Choices choices,
            AnswerView answer,
            Inference inference,
            FrameAnalyzer analyzer,
            ModelSpec model,
            Runnable askPermission) {
        this.activity = activity;
        this.screen = screen;
        this.choices = choices;
        this.answer = answer;
        this.inference = inference;
        this.model = model;
        this.askPermission = askPermission;
        this.camera =
                new CameraBinding(
                        activity,
                        screen.preview,
                        inference.thread(),
                        analyzer,
                        model.preprocess(),
                        this);
    }

    /** The photo that is looked at; null where it is the camera. From any thread. */
    @Nullable
    Photo photo() {
        return photo;
    }

    /** Whether the person lets this app use the camera. */
    boolean isAllowed() {
        return ContextCompat.checkSelfPermission(activity, Manifest.permission.CAMERA)
                == PackageManager.PERMISSION_GRANTED;
    }

    /** Says why there is no picture, or takes away what was said of one. */
    void sayTrouble() {
        CameraTrouble now = photo != null ? null : isAllowed() ? trouble : CameraTrouble.REFUSED;
        if (now == null) {
            screen.say(null);
        } else {
            screen.say(activity.getString(now.sentence, detail), now.action, () -> mend(now));
        }
    }

    private void mend(CameraTrouble what) {
        if (what == CameraTrouble.REFUSED) {
            askPermission.run();
        } else if (what.action == R.string.settings) {
            activity.startActivity(new Intent(Settings.ACTION_SETTINGS));
        } else {
            trouble = null;
            camera.unbind();
            show();
        }
    }

    @Override
    public void cameraWorks() {
        trouble = null;
        screen.torch.setVisibility(camera.hasTorch() ? View.VISIBLE : View.INVISIBLE);
        sayTrouble();
    }

    @Override
    public void cameraFailed(CameraTrouble what, String why) {
        trouble = what;
        detail = why;
        sayTrouble();
    }

    /** The camera's turn with the display. */
    void followDisplay() {
        camera.followDisplay();
    }

    /** Shows camera or photo, whichever is chosen; a sentence where there is no camera to show. */
    void show() {
        if (activity.isDestroyed()) { // whoever posted this, a photo's reader or a layout, is late
            return;
        }
        if (photo == null) {
            showCamera();
        } else {
            showPhoto(photo);
        }
    }

    private void showCamera() {
        if (screen.isFrozen()) { // nobody sees what was held on to
            setPaused(false);
        }
        screen.showPhoto(null, null);
        sayTrouble();
        boolean isAllowed = isAllowed();
        screen.preview.setKeepScreenOn(isAllowed);
        answer.setProjection(screen.preview::getSensorToViewTransform);
        if (isAllowed) {
            camera.bind(choices.isFront(), screen.isFullScreen());
        } else {
            camera.unbind();
        }
    }

    private void showPhoto(Photo shown) {
        Matrix toView = toView(shown);
        camera.unbind();
        screen.torch.setVisibility(View.INVISIBLE);
        screen.preview.setKeepScreenOn(false);
        sayTrouble();
        screen.showPhoto(shown.bitmap, toView);
        answer.setProjection(() -> toView);
        analysePhoto();
    }

    private Matrix toView(Photo shown) {
        return shown.toView(
                screen.stage.getWidth(), screen.stage.getHeight(), screen.isFullScreen());
    }

    /** Analyses the photo again, if there is one: as much of it as is shown. */
    void analysePhoto() {
        Photo shown = photo;
        if (shown == null) {
            return;
        }
        int width = screen.stage.getWidth();
        int height = screen.stage.getHeight();
        Matrix toView = toView(shown);
        inference
                .thread()
                .execute(
                        () -> {
                            shown.cropToView(toView, width, height);
                            inference.analyse(shown.frame);
                        });
    }

    /** The picture's place has another size: it shows another part of the camera or photo. */
    void resized() {
        if (photo != null || screen.isFullScreen()) {
            show();
        }
    }

    void leavePhoto() {
        stopSeries();
        photo = null;
        show();
    }

    /** Shows and analyses a photo once it is read; several, or a video, one after the other. */
    void open(List<Uri> picked) {
        stopSeries();
        inference.thread().execute(() -> read(picked));
    }

    private void read(List<Uri> picked) {
        try {
            Pictures pictures = new Pictures(activity.getApplicationContext(), picked);
            if (picked.size() == 1 && pictures.count() == 1) {
                Photo one = pictures.read(0);
                pictures.close();
                main.post(() -> read(one));
            } else {
                main.post(() -> start(pictures));
            }
        } catch (IOException error) {
            String sentence = activity.getString(R.string.photo_failed, error.getMessage());
            main.post(() -> screen.say(sentence));
        }
    }

    private void start(Pictures pictures) {
        series = new Series(inference, pictures, answer.task().records(model), this);
        if (activity.isDestroyed()) {
            stopSeries();
        } else {
            series.go();
        }
    }

    /** A picture is to be shown. */
    @Override
    public void read(Photo read) {
        photo = read;
        show();
    }

    @Override
    public void progressed(int done, int all) {
        Series running = series;
        screen.say(
                activity.getString(R.string.series_progress, done, all),
                R.string.enough,
                running::end);
    }

    @Override
    public void ended(Series ended) {
        if (ended != series) { // something else was picked in the meantime
            return;
        }
        series = null;
        int count = ended.count();
        StringBuilder said = new StringBuilder();
        said.append(
                activity.getResources().getQuantityString(R.plurals.series_done, count, count));
        if (ended.unread() > 0) {
            said.append(' ').append(activity.getString(R.string.series_unread, ended.unread()));
        }
        String sentence = said.toString();
        screen.say(sentence, R.string.share_results, () -> share(ended, sentence));
        analysePhoto(); // whose answer the sentence took away
    }

    private void share(Series ended, String told) {
        try {
            Intent shared = ended.shared(activity, told);
            if (shared != null) {
                activity.startActivity(shared);
            }
        } catch (IOException | ActivityNotFoundException error) {
            screen.say(activity.getString(R.string.share_failed, error.getMessage()));
        }
    }

    /** A picture was analysed; on the inference thread. */
    void analysed(Frame frame) {
        Series running = series;
        if (running != null) {
            running.take(frame);
        }
    }

    /** Several pictures are left where they are: something else is wanted. */
    void stopSeries() {
        if (series != null) {
            series.stop();
            series = null;
        }
    }

    void switchCamera() {
        choices.setFront(!choices.isFront());
        stopSeries();
        photo = null;
        trouble = null;
        turnTorch(false);
        show();
    }

    void setFullScreen(boolean full) {
        if (full != screen.isFullScreen()) {
            screen.setFullScreen(full);
            show();
        }
    }

    void pauseOrResume() {
        boolean isPaused = !inference.isPaused();
        setPaused(isPaused);
        if (photo != null) { // it stands still anyway
            return;
        }
        if (isPaused) {
            screen.freeze();
        } else {
            show();
        }
    }

    void setPaused(boolean isPaused) {
        inference.setPaused(isPaused);
        Screen.change(
                screen.pause,
                isPaused ? R.drawable.ic_resume : R.drawable.ic_pause,
                isPaused ? R.string.resume : R.string.pause);
    }

    void toggleTorch() {
        turnTorch(!isTorchOn);
    }

    private void turnTorch(boolean isOn) {
        isTorchOn = isOn;
        camera.setTorch(isOn);
        Screen.change(
                screen.torch,
                isOn ? R.drawable.ic_torch_on : R.drawable.ic_torch,
                isOn ? R.string.torch_off : R.string.torch);
    }

    void zoomBy(float factor) {
        if (photo == null && !inference.isPaused()) {
            camera.zoomBy(factor);
        }
    }
}

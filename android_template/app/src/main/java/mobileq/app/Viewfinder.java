package mobileq.app;

import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Matrix;
import android.provider.Settings;
import android.view.View;
import androidx.activity.ComponentActivity;
import androidx.activity.OnBackPressedCallback;
import androidx.annotation.Nullable;
import mobileq.core.manifest.PreprocessSpec;

/**
 * What is looked at and analysed: the camera, its picture held on to, or what the person picked;
 * whole, or over the whole screen. Of the main thread.
 */
final class Viewfinder implements CameraBinding.Listener, Picked.Listener {
    private final ComponentActivity activity;
    private final Screen screen;
    private final Choices choices;
    private final AnswerView answer;
    private final MainViewModel viewModel;
    private final Inference inference;
    private final Picked picked;
    private final CameraBinding camera;
    private final CameraPermission permission;
    private CameraTrouble trouble;
    private String detail;
    private boolean isTorchOn;

    /** Back to the buttons, or to the camera. */
    final OnBackPressedCallback back =
            new OnBackPressedCallback(false) {
                @Override
                public void handleOnBackPressed() {
                    if (screen.isFullScreen()) {
                        setFullScreen(false);
                    } else {
                        leavePhoto();
                    }
                }
            };

    Viewfinder(
            ComponentActivity activity,
            Screen screen,
            Choices choices,
            AnswerView answer,
            MainViewModel viewModel,
            PreprocessSpec preprocess,
            CameraPermission permission) {
        this.activity = activity;
        this.screen = screen;
        this.choices = choices;
        this.answer = answer;
        this.viewModel = viewModel;
        this.inference = viewModel.inference();
        this.picked = viewModel.picked();
        this.permission = permission;
        this.camera =
                new CameraBinding(
                        activity,
                        screen.preview,
                        inference.thread(),
                        viewModel.analyzer(),
                        preprocess,
                        this);
    }

    /** Says why there is no picture, or takes away what was said of one. */
    void sayTrouble() {
        CameraTrouble now = picked.photo() != null ? null : permission.isGranted() ? trouble : CameraTrouble.REFUSED;
        if (now == null) {
            screen.say(null);
        } else {
            screen.say(activity.getString(now.sentence, detail), now.action, () -> mend(now));
        }
    }

    private void mend(CameraTrouble what) {
        if (what == CameraTrouble.REFUSED) {
            Intent settings = permission.askAgain();
            if (settings != null) {
                openSettings(settings);
            }
        } else if (what.action == R.string.settings) {
            openSettings(new Intent(Settings.ACTION_SETTINGS));
        } else {
            trouble = null;
            camera.unbind();
            show();
        }
    }

    /** Not every device has an app for them. */
    private void openSettings(Intent intent) {
        try {
            activity.startActivity(intent);
        } catch (ActivityNotFoundException error) {
            screen.notice.sayForAWhile(activity.getString(R.string.no_settings));
        }
    }

    @Override
    public void cameraWorks() {
        trouble = null;
        screen.torch.setVisibility(camera.hasTorch() ? View.VISIBLE : View.INVISIBLE);
        camera.setTorch(isTorchOn); // which goes off where the camera was away
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
        if (activity.isDestroyed()) { // whoever posted this, a layout, is late
            return;
        }
        Photo photo = picked.photo();
        if (photo == null) {
            showCamera();
        } else {
            showPhoto(photo);
        }
        followBack();
        tellSeries();
    }

    private void showCamera() {
        if (screen.isFrozen()) { // nobody sees what was held on to
            setPaused(false);
        }
        viewModel.setStill(null);
        screen.showPhoto(null, null);
        sayTrouble();
        boolean isAllowed = permission.isGranted();
        screen.preview.setKeepScreenOn(isAllowed);
        answer.setProjection(this::sensorToView);
        if (isAllowed) {
            camera.bind(choices.isFront(), screen.isFullScreen());
        } else {
            camera.unbind();
        }
    }

    @Nullable
    private Matrix sensorToView() {
        MainViewModel.Still still = viewModel.still();
        if (still == null) {
            return screen.preview.getSensorToViewTransform();
        }
        if (still.sensorToPicture() == null) {
            return null;
        }
        Matrix matrix = screen.frozenToStage();
        matrix.preConcat(still.sensorToPicture());
        return matrix;
    }

    private void showPhoto(Photo shown) {
        Matrix toView = toView(shown);
        camera.unbind();
        viewModel.setStill(null);
        screen.torch.setVisibility(View.INVISIBLE);
        screen.preview.setKeepScreenOn(picked.isRunning());
        sayTrouble();
        screen.showPhoto(shown.bitmap, toView);
        answer.setProjection(() -> toView);
        analyseAgain();
    }

    private Matrix toView(Photo shown) {
        return shown.toView(
                screen.stage.getWidth(), screen.stage.getHeight(), screen.isFullScreen());
    }

    /** Analyses what stands still again, if anything does: of a photo as much as is shown. */
    void analyseAgain() {
        Photo shown = picked.photo();
        if (screen.isFrozen()) {
            inference.thread().execute(viewModel.analyzer()::again);
        }
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
        if (screen.isFrozen()) {
            screen.layFrozen();
        } else if (picked.photo() != null || screen.isFullScreen()) {
            show();
        }
    }

    void leavePhoto() {
        picked.leave();
        setPaused(false);
        show();
    }

    @Override
    public void changed() {
        show();
    }

    @Override
    public void failed(int sentence, String why) {
        screen.notice.sayForAWhile(activity.getString(sentence, why));
    }

    /** How far the series is, or what came of it. */
    private void tellSeries() {
        Series series = picked.series();
        answer.setProgress(picked.isRunning() ? progress(series) : null);
        if (series == null) {
            screen.notice.say(null, 0, null, false);
        } else if (series.hasEnded() && series.count() == 0) { // nothing to be shared
            stopSeries();
            screen.notice.sayForAWhile(summary(series));
        } else if (series.hasEnded()) {
            String said = summary(series);
            screen.notice.say(said, R.string.share_results, () -> share(series, said), true);
        } else {
            screen.notice.say(progress(series), R.string.enough, series::end, false);
        }
    }

    private String progress(Series series) {
        return activity.getString(R.string.series_progress, series.done(), series.all());
    }

    private String summary(Series series) {
        int count = series.count();
        String said =
                activity.getResources().getQuantityString(R.plurals.series_done, count, count);
        if (series.unread() > 0) {
            said += ' ' + activity.getString(R.string.series_unread, series.unread());
        }
        return series.isPart() ? said + ' ' + activity.getString(R.string.series_more) : said;
    }

    private void share(Series series, String told) {
        Shared.start(
                activity,
                inference.thread(),
                () -> series.shared(activity, told),
                screen.notice::sayForAWhile);
    }

    /** Several pictures are left where they are: something else is wanted. */
    void stopSeries() {
        picked.stop();
        tellSeries();
    }

    void switchCamera() {
        choices.setFront(!choices.isFront());
        trouble = null;
        turnTorch(false);
        leavePhoto();
    }

    void setFullScreen(boolean full) {
        if (full != screen.isFullScreen()) {
            screen.setFullScreen(full);
            followBack();
            if (!screen.isFrozen()) {
                show();
            }
        }
    }

    private void followBack() {
        back.setEnabled(screen.isFullScreen() || picked.photo() != null);
    }

    void pauseOrResume() {
        boolean isPaused = !inference.isPaused();
        setPaused(isPaused);
        if (picked.photo() != null) { // it stands still anyway
            return;
        }
        if (isPaused) {
            freeze();
        } else {
            show();
        }
    }

    /** Holds on to the camera's picture as it is now, if there is one yet. */
    private void freeze() {
        Bitmap picture = screen.preview.getBitmap();
        if (picture != null) {
            Matrix now = screen.preview.getSensorToViewTransform();
            viewModel.setStill(
                    new MainViewModel.Still(picture, now == null ? null : new Matrix(now)));
            screen.freeze(picture);
        }
    }

    /** Goes on with what was shown before the screen was made anew. */
    void goOn() {
        setPaused(inference.isPaused());
        MainViewModel.Still still = viewModel.still();
        if (still != null) {
            answer.setProjection(this::sensorToView);
            screen.freeze(still.picture());
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
        if (picked.photo() == null && !inference.isPaused()) {
            camera.zoomBy(factor);
        }
    }
}

package mobileq.app;

import android.Manifest;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.SharedPreferences;
import android.content.pm.PackageManager;
import android.content.res.Configuration;
import android.graphics.Matrix;
import android.hardware.display.DisplayManager;
import android.net.Uri;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import android.provider.Settings;
import android.view.View;
import androidx.activity.ComponentActivity;
import androidx.activity.OnBackPressedCallback;
import androidx.activity.result.ActivityResultLauncher;
import androidx.activity.result.PickVisualMediaRequest;
import androidx.activity.result.contract.ActivityResultContracts;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import androidx.core.content.ContextCompat;
import java.io.IOException;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.AcceleratorFallback;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.Session;

/** The only screen: connects the camera or a picked photo, the model, and what is shown. */
public final class MainActivity extends ComponentActivity
        implements Inference.Listener, CameraBinding.Listener, DisplayManager.DisplayListener {
    private static final long STATUS_MILLIS = 200;
    private static final String PHOTO = "photo";
    private static final String PAUSED = "paused";
    private static final String FULL_SCREEN = "full screen";

    private final Handler main = new Handler(Looper.getMainLooper());
    private final Matrix identity = new Matrix();
    private final ActivityResultLauncher<String> permission =
            registerForActivityResult(
                    new ActivityResultContracts.RequestPermission(), this::onPermission);
    private final ActivityResultLauncher<PickVisualMediaRequest> picker =
            registerForActivityResult(
                    new ActivityResultContracts.PickVisualMedia(), this::onPicked);

    private Screen screen;
    private Choices choices;
    private AnswerView answer;
    private ModelLists lists;
    private Inference inference;
    private FrameAnalyzer analyzer;
    private CameraBinding camera;
    private volatile Photo photo;
    private volatile long statusDue;
    private volatile boolean hasFailed;

    @Override
    protected void onCreate(@Nullable Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.activity_main);
        screen = new Screen(this);
        try {
            load();
        } catch (BundleException error) {
            screen.say(error.getMessage());
            return;
        }
        connect();
        if (state != null) {
            restore(state);
        }
        if (!isAllowed()) {
            permission.launch(Manifest.permission.CAMERA);
        }
    }

    private void load() throws BundleException {
        BundleAssets assets = new BundleAssets(getAssets());
        mobileq.core.manifest.Manifest manifest = assets.manifest();
        if (manifest.artifacts().isEmpty()) {
            throw new BundleException(getString(R.string.empty_bundle));
        }
        SharedPreferences preferences = getSharedPreferences("choices", MODE_PRIVATE);
        ModelSpec model = manifest.model();
        List<ModelRuntime> runtimes = Runtimes.all(getApplicationContext(), assets);
        AcceleratorFallback fallback = new AcceleratorFallback(new CrashNotes(preferences));
        choices = new Choices(preferences, getResources(), model.name());
        answer = Tasks.view(this, model);
        inference = new Inference(new Session(manifest, answer.task(), runtimes, fallback), this);
        lists =
                new ModelLists(
                        screen,
                        choices,
                        manifest.artifacts(),
                        runtimes,
                        inference,
                        this::onModelChanged);
        analyzer = new FrameAnalyzer(inference);
        camera = new CameraBinding(this, screen.preview, inference.thread(), analyzer, this);
    }

    private void connect() {
        screen.setAnswer(answer);
        answer.addControls(screen.controls, choices, this::analysePhoto);
        answer.setProjection(screen.preview::getSensorToViewTransform);
        lists.start();
        screen.otherCamera.setOnClickListener(view -> switchCamera());
        screen.fullScreen.setOnClickListener(view -> setFullScreen(true));
        screen.stage.setOnClickListener(view -> setFullScreen(false));
        screen.stage.setClickable(false);
        screen.pickPhoto.setOnClickListener(view -> pickOrLeavePhoto());
        screen.pause.setOnClickListener(view -> pauseOrResume());
        screen.allow.setOnClickListener(view -> askAgain());
        getOnBackPressedDispatcher().addCallback(this, leaveFullScreen);
        screen.preview.addOnLayoutChangeListener(
                (view, left, top, right, bottom, oldLeft, oldTop, oldRight, oldBottom) -> {
                    boolean isResized =
                            right - left != oldRight - oldLeft || bottom - top != oldBottom - oldTop;
                    if (isResized) { // what the view shows of the camera is another part now
                        view.post(this::showPicture);
                    }
                });
    }

    private final OnBackPressedCallback leaveFullScreen =
            new OnBackPressedCallback(false) {
                @Override
                public void handleOnBackPressed() {
                    setFullScreen(false);
                }
            };

    @Override
    protected void onStart() {
        super.onStart();
        if (inference == null) {
            return;
        }
        getSystemService(DisplayManager.class).registerDisplayListener(this, main);
        inference.start();
        if (!screen.isFrozen()) {
            showPicture();
        }
    }

    /** The screen is made anew where its density or the language changes. */
    @Override
    protected void onSaveInstanceState(@NonNull Bundle state) {
        super.onSaveInstanceState(state);
        if (inference == null) {
            return;
        }
        state.putBoolean(PAUSED, inference.isPaused());
        state.putBoolean(FULL_SCREEN, screen.isFullScreen());
        if (photo != null) {
            state.putString(PHOTO, photo.uri.toString());
        }
    }

    private void restore(Bundle state) {
        setPaused(state.getBoolean(PAUSED));
        setFullScreen(state.getBoolean(FULL_SCREEN));
        String picked = state.getString(PHOTO);
        if (picked != null) {
            onPicked(Uri.parse(picked));
        }
    }

    @Override
    protected void onStop() {
        super.onStop();
        if (inference != null) {
            getSystemService(DisplayManager.class).unregisterDisplayListener(this);
            inference.stop();
        }
    }

    @Override
    protected void onDestroy() {
        super.onDestroy();
        if (inference != null) {
            inference.close();
        }
    }

    @Override
    public void onConfigurationChanged(@NonNull Configuration configuration) {
        super.onConfigurationChanged(configuration);
        screen.orient(configuration);
    }

    // A turn by half a circle changes no configuration; the display tells of it.

    @Override
    public void onDisplayChanged(int displayId) {
        camera.followDisplay();
    }

    @Override
    public void onDisplayAdded(int displayId) {}

    @Override
    public void onDisplayRemoved(int displayId) {}

    private boolean isAllowed() {
        return ContextCompat.checkSelfPermission(this, Manifest.permission.CAMERA)
                == PackageManager.PERMISSION_GRANTED;
    }

    private void onPermission(boolean isGranted) {
        showPicture();
    }

    /** Android asks only until it was refused for good; from then on its settings decide. */
    private void askAgain() {
        if (shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
            permission.launch(Manifest.permission.CAMERA);
            return;
        }
        Uri app = Uri.fromParts("package", getPackageName(), null);
        startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app));
    }

    /** Why there is no picture to look at; null where there is one. */
    @Nullable
    private String refusal() {
        return photo == null && !isAllowed() ? getString(R.string.camera_refused) : null;
    }

    /** Camera or photo, whichever is chosen; a sentence where there is no camera to show. */
    private void showPicture() {
        if (isDestroyed()) { // whoever posted this, a photo's reader or a layout, comes too late
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
        String refusal = refusal();
        screen.showPhoto(null, null);
        screen.allow.setVisibility(refusal == null ? View.GONE : View.VISIBLE);
        screen.say(refusal);
        screen.preview.setKeepScreenOn(refusal == null);
        answer.setProjection(screen.preview::getSensorToViewTransform);
        if (refusal == null) {
            camera.bind(choices.isFront(), screen.isFullScreen());
        } else {
            camera.unbind();
        }
    }

    private void showPhoto(Photo shown) {
        int width = screen.stage.getWidth();
        int height = screen.stage.getHeight();
        Matrix toView = shown.toView(width, height, screen.isFullScreen());
        camera.unbind();
        screen.preview.setKeepScreenOn(false);
        screen.allow.setVisibility(View.GONE);
        screen.say(null);
        screen.showPhoto(shown.bitmap, toView);
        answer.setProjection(() -> toView);
        analysePhoto();
    }

    private void analysePhoto() {
        Photo shown = photo;
        if (shown != null) {
            statusDue = 0;
            inference.thread().execute(() -> inference.analyse(shown.frame));
        }
    }

    private void pickOrLeavePhoto() {
        if (photo == null) {
            try {
                picker.launch(
                        new PickVisualMediaRequest.Builder()
                                .setMediaType(
                                        ActivityResultContracts.PickVisualMedia.ImageOnly.INSTANCE)
                                .build());
            } catch (ActivityNotFoundException error) {
                screen.say(getString(R.string.no_photo_app));
            }
        } else {
            photo = null;
            showPicture();
        }
    }

    private void onPicked(@Nullable Uri uri) {
        if (uri == null || inference == null) {
            return;
        }
        inference
                .thread()
                .execute(
                        () -> {
                            try {
                                Photo read = Photo.read(getContentResolver(), uri);
                                main.post(
                                        () -> {
                                            photo = read;
                                            showPicture();
                                        });
                            } catch (IOException error) {
                                String sentence =
                                        getString(R.string.photo_failed, error.getMessage());
                                main.post(() -> screen.say(sentence));
                            }
                        });
    }

    private void switchCamera() {
        choices.setFront(!choices.isFront());
        photo = null;
        showPicture();
    }

    private void setFullScreen(boolean full) {
        if (full != screen.isFullScreen()) {
            screen.setFullScreen(full);
            leaveFullScreen.setEnabled(full);
            showPicture();
        }
    }

    private void pauseOrResume() {
        boolean isPaused = !inference.isPaused();
        setPaused(isPaused);
        if (photo != null) { // it stands still anyway
            return;
        }
        if (isPaused) {
            screen.freeze();
        } else {
            showPicture();
        }
    }

    private void setPaused(boolean isPaused) {
        inference.setPaused(isPaused);
        screen.pause.setText(isPaused ? R.string.resume : R.string.pause);
    }

    private void onModelChanged() {
        screen.say(refusal());
        answer.clear();
        statusDue = 0;
        analysePhoto();
    }

    @Override
    public void analysed(Frame frame, Session session) {
        Photo shown = photo;
        boolean isPhoto = shown != null && shown.frame == frame;
        boolean isLate = shown == null ? inference.isPaused() : !isPhoto;
        if (isLate) { // a last frame of the camera
            return;
        }
        answer.show(isPhoto ? identity : analyzer.frameToSensor());
        if (hasFailed) {
            hasFailed = false;
            main.post(() -> screen.say(refusal()));
        }
        long now = SystemClock.uptimeMillis();
        if (now >= statusDue) {
            statusDue = now + STATUS_MILLIS;
            String text = StatusText.of(frame, session, isPhoto ? -1 : analyzer.ageNanos());
            main.post(() -> screen.status.setText(text));
        }
    }

    @Override
    public void failed(String sentence) {
        hasFailed = true;
        main.post(() -> screen.say(sentence));
    }

    @Override
    public void cameraFailed(String sentence) {
        screen.say(sentence);
    }
}

package mobileq.app;

import android.Manifest;
import android.app.ActivityManager;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.SharedPreferences;
import android.content.res.Configuration;
import android.graphics.Bitmap;
import android.graphics.Matrix;
import android.hardware.display.DisplayManager;
import android.net.Uri;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import android.provider.Settings;
import androidx.activity.ComponentActivity;
import androidx.activity.OnBackPressedCallback;
import androidx.activity.result.ActivityResultLauncher;
import androidx.activity.result.PickVisualMediaRequest;
import androidx.activity.result.contract.ActivityResultContracts;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.check.SelfCheck;
import mobileq.core.check.Verdict;
import mobileq.core.image.Frame;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Accelerator;
import mobileq.core.run.AcceleratorFallback;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.Session;

/** The only screen: connects the camera or a picked photo, the model, and what is shown. */
public final class MainActivity extends ComponentActivity
        implements Inference.Listener, FrameAnalyzer.Listener, DisplayManager.DisplayListener {
    private static final long STATUS_MILLIS = 200;
    private static final long LOADING_MILLIS = 200;
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
                    new ActivityResultContracts.PickMultipleVisualMedia(), this::onPicked);

    private Screen screen;
    private Choices choices;
    private AnswerView answer;
    private ModelLists lists;
    private CheckLine checkLine;
    private Inference inference;
    private FrameAnalyzer analyzer;
    private Viewfinder viewfinder;
    private StatusText statusText;
    private volatile long statusDue;
    private volatile boolean hasFailed;
    private volatile boolean isLoading;

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
        if (!viewfinder.isAllowed()) {
            permission.launch(Manifest.permission.CAMERA);
        }
    }

    private void load() throws BundleException {
        SharedPreferences preferences = getSharedPreferences("choices", MODE_PRIVATE);
        choices = new Choices(preferences, getResources());
        List<Offer> offers = new ArrayList<>();
        for (BundleAssets each : BundleAssets.all(getAssets(), getCodeCacheDir())) {
            offers.addAll(Offer.of(each, each.manifest()));
        }
        if (offers.isEmpty()) {
            throw new BundleException(getString(R.string.empty_bundle));
        }
        // One bundle at work: with one of another, the screen is made anew.
        Offer chosen = offers.get(choices.offerIn(offers));
        BundleAssets assets = chosen.bundle();
        mobileq.core.manifest.Manifest manifest = chosen.manifest();
        ModelSpec model = manifest.model();
        choices.setModel(model.name());
        List<ModelRuntime> runtimes = Runtimes.all(getApplicationContext(), assets);
        AcceleratorFallback fallback = new AcceleratorFallback(new CrashNotes(preferences));
        if (fallback.isAfterCrash()) {
            assets.clearCompiled();
        }
        answer = Tasks.view(this, model);
        Session session = new Session(manifest, answer.task(), runtimes, fallback);
        SelfCheck check = new SelfCheck(manifest, answer.task(), assets, new CheckNotes(this));
        inference = new Inference(session, check, this);
        lists =
                new ModelLists(
                        screen,
                        choices,
                        offers,
                        runtimes,
                        inference,
                        this::onModelChanged,
                        this::recreate);
        checkLine = new CheckLine(screen, lists::chooseCpu);
        analyzer = new FrameAnalyzer(inference, this);
        statusText = new StatusText(getResources());
        viewfinder =
                new Viewfinder(
                        this,
                        screen,
                        choices,
                        answer,
                        inference,
                        analyzer,
                        model,
                        this::askAgain);
    }

    private void connect() {
        screen.setAnswer(answer);
        answer.addControls(screen.controls, choices, viewfinder::analysePhoto);
        screen.offerDetails();
        answer.setProjection(screen.preview::getSensorToViewTransform);
        lists.start();
        screen.otherCamera.setOnClickListener(view -> viewfinder.switchCamera());
        screen.fullScreen.setOnClickListener(view -> setFullScreen(true));
        screen.stage.setOnClickListener(view -> setFullScreen(false));
        screen.stage.setClickable(false);
        screen.stage.setOnTouchListener(new Pinch(this, factor -> viewfinder.zoomBy(factor)));
        screen.pickPhoto.setOnClickListener(view -> pickOrLeavePhoto());
        screen.pause.setOnClickListener(view -> viewfinder.pauseOrResume());
        screen.torch.setOnClickListener(view -> viewfinder.toggleTorch());
        screen.share.setOnClickListener(view -> share());
        getOnBackPressedDispatcher().addCallback(this, leaveFullScreen);
        screen.preview.addOnLayoutChangeListener(
                (view, left, top, right, bottom, oldLeft, oldTop, oldRight, oldBottom) -> {
                    boolean isResized =
                            right - left != oldRight - oldLeft || bottom - top != oldBottom - oldTop;
                    if (isResized) {
                        view.post(viewfinder::resized);
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
            viewfinder.show();
        }
    }

    /** The screen is made anew where its density, its colours or the language change. */
    @Override
    protected void onSaveInstanceState(@NonNull Bundle state) {
        super.onSaveInstanceState(state);
        if (inference == null) {
            return;
        }
        state.putBoolean(PAUSED, inference.isPaused());
        state.putBoolean(FULL_SCREEN, screen.isFullScreen());
        Photo photo = viewfinder.photo();
        if (photo != null && photo.uri != null) {
            state.putString(PHOTO, photo.uri.toString());
        }
    }

    private void restore(Bundle state) {
        viewfinder.setPaused(state.getBoolean(PAUSED));
        setFullScreen(state.getBoolean(FULL_SCREEN));
        String picked = state.getString(PHOTO);
        if (picked != null) {
            onPicked(Collections.singletonList(Uri.parse(picked)));
        }
    }

    /** The model stays loaded where there is room: loading it again takes a GPU seconds. */
    @Override
    protected void onStop() {
        super.onStop();
        if (inference == null) {
            return;
        }
        getSystemService(DisplayManager.class).unregisterDisplayListener(this);
        inference.stop();
        ActivityManager memory = getSystemService(ActivityManager.class);
        ActivityManager.MemoryInfo now = new ActivityManager.MemoryInfo();
        memory.getMemoryInfo(now);
        if (memory.isLowRamDevice() || now.lowMemory) {
            inference.free();
        }
    }

    @Override
    public void onTrimMemory(int level) {
        super.onTrimMemory(level);
        if (level >= TRIM_MEMORY_BACKGROUND && inference != null) {
            inference.free();
        }
    }

    @Override
    protected void onDestroy() {
        super.onDestroy();
        if (inference != null) {
            viewfinder.stopSeries();
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
        viewfinder.followDisplay();
    }

    @Override
    public void onDisplayAdded(int displayId) {}

    @Override
    public void onDisplayRemoved(int displayId) {}

    private void onPermission(boolean isGranted) {
        viewfinder.show();
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

    private void pickOrLeavePhoto() {
        if (viewfinder.photo() != null) {
            viewfinder.leavePhoto();
            return;
        }
        try {
            picker.launch(
                    new PickVisualMediaRequest.Builder()
                            .setMediaType(
                                    ActivityResultContracts.PickVisualMedia.ImageAndVideo
                                            .INSTANCE)
                            .build());
        } catch (ActivityNotFoundException error) {
            screen.say(getString(R.string.no_photo_app));
        }
    }

    private void onPicked(List<Uri> picked) {
        if (!picked.isEmpty() && inference != null) {
            viewfinder.open(picked);
        }
    }

    private void setFullScreen(boolean full) {
        leaveFullScreen.setEnabled(full);
        viewfinder.setFullScreen(full);
    }

    private void share() {
        Bitmap picture = screen.picture();
        if (picture == null) {
            return;
        }
        try {
            startActivity(Shared.picture(this, picture, answer.words()));
        } catch (IOException | ActivityNotFoundException error) {
            screen.say(getString(R.string.share_failed, error.getMessage()));
        }
    }

    private void onModelChanged() {
        viewfinder.stopSeries(); // answers of two models are no series
        viewfinder.sayTrouble();
        answer.clear();
        statusDue = 0;
        viewfinder.analysePhoto();
    }

    @Override
    public void loading() {
        isLoading = true;
        main.postDelayed(this::showLoading, LOADING_MILLIS); // a small file is there before
    }

    private void showLoading() {
        screen.showLoading(isLoading);
    }

    private void loaded() {
        if (isLoading) {
            isLoading = false;
            main.post(this::showLoading);
        }
    }

    @Override
    public void analysed(Frame frame, Session session) {
        loaded();
        Photo photo = viewfinder.photo();
        boolean isPhoto = photo != null && photo.frame == frame;
        boolean isLate = photo == null ? inference.isPaused() : !isPhoto;
        if (isLate) { // a last frame of the camera
            return;
        }
        viewfinder.analysed(frame);
        answer.show(isPhoto ? identity : analyzer.frameToSensor());
        if (hasFailed) {
            hasFailed = false;
            main.post(viewfinder::sayTrouble);
        }
        if (!isPhoto) {
            statusText.count();
        }
        long now = SystemClock.uptimeMillis();
        if (now >= statusDue) {
            statusDue = now + STATUS_MILLIS;
            String text = statusText.of(frame, session, isPhoto ? -1 : analyzer.ageNanos());
            Accelerator actual = session.actual();
            main.post(
                    () -> {
                        screen.setStatus(text);
                        lists.showRunning(actual);
                    });
        }
    }

    @Override
    public void checked(Verdict verdict) {
        main.post(() -> checkLine.show(verdict));
    }

    @Override
    public void failed(String sentence) {
        loaded();
        hasFailed = true;
        main.post(
                () -> {
                    viewfinder.stopSeries();
                    screen.say(sentence);
                });
    }

    @Override
    public void turnedBlack(boolean isBlack) {
        main.post(
                () -> {
                    if (isBlack) {
                        viewfinder.cameraFailed(CameraTrouble.BLACK, null);
                    } else {
                        viewfinder.cameraWorks();
                    }
                });
    }
}

package mobileq.app;

import android.app.ActivityManager;
import android.content.SharedPreferences;
import android.content.res.Configuration;
import android.graphics.Bitmap;
import android.hardware.display.DisplayManager;
import android.net.Uri;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import androidx.activity.ComponentActivity;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import androidx.lifecycle.ViewModelProvider;
import java.util.Collections;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.run.Task;

/** The only screen: its lifecycle, its buttons, and what Android asks the person. */
public final class MainActivity extends ComponentActivity
        implements Pickers.Listener, DisplayManager.DisplayListener {
    private static final String PHOTO = "photo";
    private static final String PAUSED = "paused";
    private static final String FULL_SCREEN = "full screen";

    private final CameraPermission permission = new CameraPermission(this, this::onPermission);
    private final Pickers pickers = new Pickers(this, this);

    private Screen screen;
    private Choices choices;
    private AnswerView answer;
    private ModelLists lists;
    private MainViewModel viewModel;
    private Inference inference;
    private Viewfinder viewfinder;
    private Presenter presenter;

    @Override
    protected void onCreate(@Nullable Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.activity_main);
        screen = new Screen(this);
        boolean isGoingOn;
        try {
            isGoingOn = load();
        } catch (BundleException error) {
            screen.say(error.getMessage());
            return;
        }
        connect();
        if (state != null) {
            restore(state, isGoingOn);
        } else if (!permission.isGranted()) {
            permission.ask();
        }
    }

    /** Whether the model was at work before. */
    private boolean load() throws BundleException {
        SharedPreferences preferences = getSharedPreferences("choices", MODE_PRIVATE);
        choices = new Choices(preferences, getResources());
        viewModel = new ViewModelProvider(this, new MainViewModel.Factory()).get(MainViewModel.class);
        List<Offer> offers = viewModel.offers(getApplicationContext());
        Offer chosen = offers.get(choices.offerIn(offers));
        ModelSpec model = chosen.manifest().model();
        choices.setModel(model.name());
        Task task = viewModel.taskOf(chosen);
        answer = Tasks.view(this, model, task);
        if (task == null) {
            viewModel.open(getApplicationContext(), chosen, answer.task(), preferences);
        }
        inference = viewModel.inference();
        viewfinder =
                new Viewfinder(
                        this, screen, choices, answer, viewModel, model.preprocess(), permission);
        // One bundle at work: with one of another, the screen is made anew.
        lists =
                new ModelLists(
                        screen,
                        choices,
                        offers,
                        viewModel.runtimes(),
                        inference,
                        this::onModelChanged,
                        this::recreate);
        presenter = new Presenter(viewModel, screen, answer, viewfinder, lists);
        return task != null;
    }

    private void connect() {
        screen.setAnswer(answer);
        answer.addControls(screen.controls, choices, viewfinder::analyseAgain);
        screen.offerDetails();
        presenter.start();
        viewModel.picked().setListener(viewfinder);
        lists.start();
        screen.otherCamera.setOnClickListener(view -> viewfinder.switchCamera());
        screen.fullScreen.setOnClickListener(view -> viewfinder.setFullScreen(true));
        screen.stage.setOnClickListener(view -> viewfinder.setFullScreen(false));
        screen.stage.setClickable(false);
        screen.stage.setOnTouchListener(new Pinch(this, factor -> viewfinder.zoomBy(factor)));
        screen.pickPhoto.setOnClickListener(view -> pickOrLeavePhoto());
        screen.pause.setOnClickListener(view -> viewfinder.pauseOrResume());
        screen.torch.setOnClickListener(view -> viewfinder.toggleTorch());
        screen.share.setOnClickListener(view -> share());
        getOnBackPressedDispatcher().addCallback(this, viewfinder.back);
        screen.preview.addOnLayoutChangeListener(
                (view, left, top, right, bottom, oldLeft, oldTop, oldRight, oldBottom) -> {
                    boolean isResized =
                            right - left != oldRight - oldLeft || bottom - top != oldBottom - oldTop;
                    if (isResized) {
                        view.post(viewfinder::resized);
                    }
                });
    }

    @Override
    protected void onStart() {
        super.onStart();
        if (inference == null) {
            return;
        }
        Handler main = new Handler(Looper.getMainLooper());
        getSystemService(DisplayManager.class).registerDisplayListener(this, main);
        inference.start();
        if (screen.isFrozen()) {
            viewfinder.analyseAgain();
        } else {
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
        Photo photo = viewModel.picked().photo();
        if (photo != null && photo.uri != null && !viewModel.picked().isRunning()) {
            state.putString(PHOTO, photo.uri.toString());
        }
    }

    /** What goes on by itself is so still; the rest is as it was before the app was ended. */
    private void restore(Bundle state, boolean isGoingOn) {
        if (isGoingOn) {
            viewfinder.goOn();
        } else {
            viewfinder.setPaused(state.getBoolean(PAUSED));
        }
        viewfinder.setFullScreen(state.getBoolean(FULL_SCREEN));
        String picked = state.getString(PHOTO);
        if (picked != null && !isGoingOn) {
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
            lists.close();
            pickers.close();
            presenter.stop();
            viewModel.picked().setListener(null);
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

    private void onPermission() {
        if (inference != null) {
            viewfinder.show();
        }
    }

    private void pickOrLeavePhoto() {
        if (viewModel.picked().photo() == null) {
            pickers.open(screen.pickPhoto);
        } else {
            viewfinder.leavePhoto();
        }
    }

    @Override
    public void onPicked(List<Uri> uris) {
        if (!uris.isEmpty() && inference != null) {
            viewModel.picked().open(uris);
        }
    }

    @Override
    public void onFolder(@Nullable Uri tree) {
        if (tree != null && inference != null) {
            viewModel.picked().openFolder(tree);
        }
    }

    @Override
    public void onNoPicker() {
        screen.notice.sayForAWhile(getString(R.string.no_photo_app));
    }

    private void share() {
        Bitmap picture = screen.picture();
        if (picture != null) {
            CharSequence words = answer.words();
            Shared.start(
                    this,
                    inference.thread(),
                    () -> Shared.picture(this, picture, words),
                    screen.notice::sayForAWhile);
        }
    }

    private void onModelChanged() {
        viewfinder.stopSeries(); // answers of two models are no series
        viewfinder.sayTrouble();
        presenter.modelChanged();
        viewfinder.analyseAgain();
    }
}

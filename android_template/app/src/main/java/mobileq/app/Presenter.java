package mobileq.app;

import android.content.res.Resources;
import android.graphics.Matrix;
import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import mobileq.core.BundleException;
import mobileq.core.check.Verdict;
import mobileq.core.image.Frame;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Session;

/** Brings what is found, on the inference thread, onto the screen. */
final class Presenter implements Inference.Listener, FrameAnalyzer.Listener {
    private static final long STATUS_MILLIS = 200;
    private static final long LOADING_MILLIS = 200;

    private final Handler main = new Handler(Looper.getMainLooper());
    private final Matrix identity = new Matrix();
    private final MainViewModel viewModel;
    private final Inference inference;
    private final Screen screen;
    private final AnswerView answer;
    private final Viewfinder viewfinder;
    private final ModelLists lists;
    private final CheckLine checkLine;
    private final Resources resources;
    private final StatusText statusText;
    private volatile long statusDue;
    private volatile boolean hasFailed;

    Presenter(
            MainViewModel viewModel,
            Screen screen,
            AnswerView answer,
            Viewfinder viewfinder,
            ModelLists lists) {
        this.viewModel = viewModel;
        this.inference = viewModel.inference();
        this.screen = screen;
        this.answer = answer;
        this.viewfinder = viewfinder;
        this.lists = lists;
        checkLine = new CheckLine(screen, lists::chooseCpu);
        resources = answer.getResources();
        statusText = new StatusText(resources);
    }

    /** From now on. */
    void start() {
        inference.setListener(this);
        viewModel.analyzer().setListener(this);
        checked(inference.verdict());
        if (inference.isLoading()) {
            loading();
        }
    }

    /** No longer: the screen is gone. */
    void stop() {
        inference.setListener(null);
        viewModel.analyzer().setListener(null);
        main.removeCallbacksAndMessages(null);
        screen.notice.close();
        answer.close();
    }

    /** Another model runs, or on something else: nothing is known of it yet. */
    void modelChanged() {
        answer.clear();
        statusDue = 0;
    }

    @Override
    public void loading() {
        main.postDelayed(this::showLoading, LOADING_MILLIS); // a small file is there before
    }

    private void showLoading() {
        screen.showLoading(inference.isLoading());
    }

    @Override
    public void loaded() {
        main.post(this::showLoading);
    }

    @Override
    public void analysed(Frame frame, Session session) {
        Photo photo = viewModel.picked().photo();
        boolean isPhoto = photo != null && photo.frame == frame;
        boolean isStill = isPhoto || viewModel.analyzer().isAgain();
        boolean isLate = photo == null ? inference.isPaused() && !isStill : !isPhoto;
        if (isLate) { // a last frame of the camera
            return;
        }
        viewModel.picked().analysed(frame);
        answer.show(isPhoto ? identity : viewModel.analyzer().frameToSensor());
        if (hasFailed) {
            hasFailed = false;
            main.post(viewfinder::sayTrouble);
        }
        if (!isStill) {
            statusText.count();
        }
        long now = SystemClock.uptimeMillis();
        if (now >= statusDue) {
            statusDue = now + STATUS_MILLIS;
            long age = isStill ? -1 : viewModel.analyzer().ageNanos();
            StatusText.Words words = statusText.of(frame, session, age);
            Accelerator actual = session.actual();
            main.post(
                    () -> {
                        screen.figures.show(words);
                        lists.showRunning(actual);
                    });
        }
    }

    @Override
    public void checked(Verdict verdict) {
        main.post(() -> checkLine.show(verdict));
    }

    @Override
    public void failed(Throwable error) {
        hasFailed = true;
        String sentence =
                error instanceof BundleException
                        ? error.getMessage()
                        : resources.getString(R.string.model_stopped, error);
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

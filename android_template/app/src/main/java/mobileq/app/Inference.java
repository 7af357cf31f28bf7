package mobileq.app;

import android.util.Log;
import androidx.annotation.Nullable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import mobileq.core.BundleException;
import mobileq.core.check.SelfCheck;
import mobileq.core.check.Verdict;
import mobileq.core.image.Frame;
import mobileq.core.manifest.Artifact;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Session;

/**
 * The one thread that everything of the model happens on: graphics drivers want to be started, run
 * and closed by the same. Knows of no camera and no screen; it goes on while that is made anew.
 */
final class Inference {
    /** Who wants a model to run on something. */
    enum Wish {
        /** The app, for want of a choice. */
        NOBODY,
        /** A person, some other day. */
        EARLIER,
        /** A person, just now: it is tried whatever happened before. */
        NOW
    }

    /** Hears of each picture, on the inference thread; of a choice, on the one that chooses. */
    interface Listener {
        /** The model is about to be loaded, which may take seconds. */
        void loading();

        /** It was, or it failed. */
        void loaded();

        /**
         * A picture was analysed; the answer is the task's until the method returns.
         *
         * @param frame Which.
         * @param session What ran.
         */
        void analysed(Frame frame, Session session);

        /**
         * What was loaded was held against the CPU.
         *
         * @param verdict Null where nothing can be said.
         */
        void checked(Verdict verdict);

        /**
         * The model can't be used.
         *
         * @param error Of a {@link BundleException} the message is for the screen.
         */
        void failed(Throwable error);
    }

    private record Choice(Artifact artifact, Accelerator accelerator, int threads) {}

    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(work -> new Thread(work, "inference"));
    private final Session session;
    private final SelfCheck check;
    private Choice chosen;
    private volatile Listener listener;
    private volatile Verdict verdict;
    private volatile boolean isLoading;
    private volatile boolean isPaused;
    private volatile boolean isStopped;

    Inference(Session session, SelfCheck check) {
        this.session = session;
        this.check = check;
    }

    /** Who hears of pictures from now on; null for nobody: then none are analysed. */
    void setListener(@Nullable Listener newListener) {
        listener = newListener;
    }

    /** The thread, for those that bring pictures. */
    ExecutorService thread() {
        return thread;
    }

    /** While paused, pictures of the camera are passed over. */
    void setPaused(boolean paused) {
        isPaused = paused;
    }

    boolean isPaused() {
        return isPaused;
    }

    /** What was loaded last, held against the CPU; null where nothing can be said. */
    @Nullable
    Verdict verdict() {
        return verdict;
    }

    /** Whether the model is being loaded. */
    boolean isLoading() {
        return isLoading;
    }

    /**
     * Changes the model or what it runs on; nothing where that is as it was, unless a person asks
     * for it just now. Of the main thread.
     *
     * @return Whether anything is to change.
     */
    boolean choose(Artifact artifact, Accelerator accelerator, int threads, Wish wish) {
        Choice wanted = new Choice(artifact, accelerator, threads);
        if (wanted.equals(chosen) && wish != Wish.NOW) {
            return false;
        }
        chosen = wanted;
        tellChecked(null);
        execute(
                () -> {
                    if (wish == Wish.NOBODY) {
                        session.suggest(artifact, accelerator, threads);
                    } else {
                        session.choose(artifact, accelerator, threads);
                    }
                    if (wish == Wish.NOW) {
                        session.forgive();
                        check.forgive();
                    }
                });
        return true;
    }

    private void tellChecked(Verdict found) {
        verdict = found;
        Listener hears = listener;
        if (hears != null) {
            hears.checked(found);
        }
    }

    /** Analyses a picture; on the inference thread only. */
    void analyse(Frame frame) {
        Listener hears = listener;
        if (isStopped || hears == null) { // a late frame must not load the model again
            return;
        }
        try {
            if (session.isToBeOpened()) {
                isLoading = true;
                hears.loading();
            }
            try {
                session.analyze(frame);
            } finally {
                loaded();
            }
            hears.analysed(frame, session);
            if (session.isToBeChecked()) { // behind the first picture: that is waited for
                tellChecked(session.check(check));
            }
        } catch (BundleException | RuntimeException | LinkageError | OutOfMemoryError error) {
            failed(error);
        }
    }

    private void loaded() {
        if (isLoading) {
            isLoading = false;
            Listener hears = listener; // the screen may have been made anew meanwhile
            if (hears != null) {
                hears.loaded();
            }
        }
    }

    private void execute(Runnable step) {
        thread.execute(
                () -> {
                    try {
                        step.run();
                    } catch (RuntimeException | LinkageError | OutOfMemoryError error) {
                        failed(error);
                    }
                });
    }

    /** What a model or a driver throws is a sentence, and not the end of the app. */
    void failed(Throwable error) {
        if (!(error instanceof BundleException)) {
            Log.e("mobileq", "The model stopped.", error);
        }
        Listener hears = listener;
        if (hears != null) {
            hears.failed(error);
        }
    }

    /** Pictures count again. */
    void start() {
        isStopped = false;
    }

    /** Nobody looks: pictures are passed over, the model stays loaded. */
    void stop() {
        isStopped = true;
    }

    /** Frees the model where nobody looks; the next picture loads it. */
    void free() {
        if (isStopped) {
            execute(session::close);
        }
    }

    /** Frees everything. */
    void close() {
        stop();
        free();
        thread.shutdown();
    }
}

package mobileq.app;

import android.util.Log;
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
 * and closed by the same. Knows of no camera and no screen.
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
         * @param sentence For the screen.
         */
        void failed(String sentence);
    }

    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private final Session session;
    private final SelfCheck check;
    private final Listener listener;
    private volatile boolean isPaused;
    private volatile boolean isStopped;

    Inference(Session session, SelfCheck check, Listener listener) {
        this.session = session;
        this.check = check;
        this.listener = listener;
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

    /** Changes the model or what it runs on. */
    void choose(Artifact artifact, Accelerator accelerator, int threads, Wish wish) {
        listener.checked(null);
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
    }

    /** Analyses a picture; on the inference thread only. */
    void analyse(Frame frame) {
        if (isStopped) { // a late frame must not load the model again
            return;
        }
        try {
            if (session.isToBeOpened()) {
                listener.loading();
            }
            session.analyze(frame);
            listener.analysed(frame, session);
            if (session.isToBeChecked()) { // behind the first picture: that is waited for
                listener.checked(session.check(check));
            }
        } catch (BundleException | RuntimeException | LinkageError | OutOfMemoryError error) {
            failed(error);
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
        if (error instanceof BundleException) {
            listener.failed(error.getMessage());
            return;
        }
        Log.e("mobileq", "The model stopped.", error);
        listener.failed("The model stopped: " + error);
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

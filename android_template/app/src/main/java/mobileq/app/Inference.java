package mobileq.app;

import android.util.Log;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.manifest.Artifact;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Session;

/**
 * The one thread that everything of the model happens on: graphics drivers want to be started, run
 * and closed by the same. Knows of no camera and no screen.
 */
final class Inference {
    /** Hears of each picture, on the inference thread. */
    interface Listener {
        /**
         * A picture was analysed; the answer is the task's until the method returns.
         *
         * @param frame Which.
         * @param session What ran.
         */
        void analysed(Frame frame, Session session);

        /**
         * The model can't be used.
         *
         * @param sentence For the screen.
         */
        void failed(String sentence);
    }

    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private final Session session;
    private final Listener listener;
    private volatile boolean isPaused;
    private volatile boolean isStopped;

    Inference(Session session, Listener listener) {
        this.session = session;
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

    /**
     * Changes the model or what it runs on.
     *
     * @param byHand Whether a person asks for it just now: it is tried whatever happened before.
     */
    void choose(Artifact artifact, Accelerator accelerator, int threads, boolean byHand) {
        execute(
                () -> {
                    session.choose(artifact, accelerator, threads);
                    if (byHand) {
                        session.forgive();
                    }
                });
    }

    /** Analyses a picture; on the inference thread only. */
    void analyse(Frame frame) {
        if (isStopped) { // a late frame must not load the model again
            return;
        }
        try {
            session.analyze(frame);
            listener.analysed(frame, session);
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

    /** Pictures count again; the first loads the model. */
    void start() {
        isStopped = false;
    }

    /** Frees the model: nobody looks. */
    void stop() {
        isStopped = true;
        execute(session::close);
    }

    /** Frees everything. */
    void close() {
        stop();
        thread.shutdown();
    }
}

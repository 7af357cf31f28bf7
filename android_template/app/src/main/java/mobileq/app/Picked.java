package mobileq.app;

import android.content.Context;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import android.util.Log;
import androidx.annotation.Nullable;
import java.io.IOException;
import java.util.List;
import java.util.function.Supplier;
import mobileq.core.image.Frame;
import mobileq.core.run.Records;

/**
 * What the person picked: a photo, or several pictures one after the other. It goes on while the
 * screen is made anew. Of the main thread.
 */
final class Picked implements Series.Listener {
    /** Shows what is picked. */
    interface Listener {
        /** Another picture is to be shown and analysed, or a series has ended. */
        void changed();

        /**
         * Nothing can be shown.
         *
         * @param sentence Of the resources.
         * @param detail For those that take one.
         */
        void failed(int sentence, String detail);
    }

    private final Context context;
    private final Inference inference;
    private final Supplier<Records> records;
    private final Handler main = new Handler(Looper.getMainLooper());
    private Listener listener;
    private volatile Photo photo;
    private volatile Series series;
    private int requests;

    /**
     * @param context Of the app.
     * @param inference What reads and analyses.
     * @param records Makes a new list of answers.
     */
    Picked(Context context, Inference inference, Supplier<Records> records) {
        this.context = context;
        this.inference = inference;
        this.records = records;
    }

    /** Who shows it from now on; null for nobody. */
    void setListener(@Nullable Listener newListener) {
        listener = newListener;
    }

    /** The picture that is looked at; null where it is the camera. From any thread. */
    @Nullable
    Photo photo() {
        return photo;
    }

    /** The several pictures that it is of, as long as nothing else is wanted; null for one. */
    @Nullable
    Series series() {
        return series;
    }

    /** Whether pictures follow by themselves. */
    boolean isRunning() {
        return series != null && !series.hasEnded();
    }

    /** Opens photos and videos: one photo, or a series. */
    void open(List<Uri> uris) {
        open(() -> Pictures.of(context, uris));
    }

    /** Opens the photos and videos of a folder. */
    void openFolder(Uri tree) {
        open(() -> Pictures.in(context, tree));
    }

    private void open(Supplier<Pictures> source) {
        stop();
        int request = ++requests;
        inference.thread().execute(() -> read(source, request));
    }

    private void read(Supplier<Pictures> source, int request) {
        try {
            Pictures pictures = source.get();
            if (pictures.isOne()) {
                Photo one = pictures.readOne();
                post(request, () -> read(one));
            } else if (pictures.count() == 0) {
                post(request, () -> listener.failed(R.string.empty_folder, null));
            } else {
                post(request, () -> start(pictures));
            }
        } catch (IOException | RuntimeException | OutOfMemoryError error) { // another app's file
            Log.w("mobileq", "What was picked can't be read.", error);
            String why = error.getMessage() == null ? error.toString() : error.getMessage();
            post(request, () -> listener.failed(R.string.photo_failed, why));
        }
    }

    /** Unless something else is wanted meanwhile, or nobody is there. */
    private void post(int request, Runnable step) {
        main.post(
                () -> {
                    if (request == requests && listener != null) {
                        step.run();
                    }
                });
    }

    private void start(Pictures pictures) {
        series = new Series(inference, pictures, records.get(), this);
        series.go();
    }

    @Override
    public void read(Photo read) {
        photo = read;
        tell();
    }

    @Override
    public void ended() {
        tell();
    }

    private void tell() {
        if (listener != null) {
            listener.changed();
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
    void stop() {
        requests++;
        if (series != null) {
            series.stop();
            series = null;
        }
    }

    /** The camera is looked at again. */
    void leave() {
        stop();
        photo = null;
    }
}

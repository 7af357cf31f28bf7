package mobileq.app;

import android.content.Context;
import android.content.Intent;
import android.os.Handler;
import android.os.Looper;
import androidx.annotation.Nullable;
import java.io.IOException;
import mobileq.core.image.Frame;
import mobileq.core.run.Records;

/**
 * Several pictures, analysed and shown one after the other, whose answers become a file. Of the main
 * thread; pictures are read and answers taken down on the inference thread.
 */
final class Series {
    /** Hears of the series' steps. */
    interface Listener {
        /** A picture is there, to be shown and analysed. */
        void read(Photo photo);

        /** All have been, or the person had enough. */
        void ended();
    }

    private final Inference inference;
    private final Pictures pictures;
    private final Records records;
    private final Listener listener;
    private final Handler main = new Handler(Looper.getMainLooper());
    private volatile Photo awaited;
    private int next;
    private int unread;
    private boolean isOver;
    private boolean hasEnded;

    Series(Inference inference, Pictures pictures, Records records, Listener listener) {
        this.inference = inference;
        this.pictures = pictures;
        this.records = records;
        this.listener = listener;
    }

    /** Goes on with the next picture, if there is one. */
    void go() {
        if (isOver) {
            return;
        }
        if (next == pictures.count()) {
            end();
            return;
        }
        int index = next++;
        inference.thread().execute(() -> read(index));
    }

    private void read(int index) {
        try {
            Photo photo = pictures.read(index);
            main.post(() -> show(photo));
        } catch (IOException | RuntimeException | OutOfMemoryError error) { // another app's file
            main.post(this::passOver);
        }
    }

    private void show(Photo photo) {
        if (!isOver) {
            awaited = photo;
            listener.read(photo);
        }
    }

    private void passOver() {
        unread++;
        go();
    }

    /** A picture was analysed: where it is the one that is waited for, once. */
    void take(Frame frame) {
        Photo photo = awaited;
        if (photo != null && photo.frame == frame) {
            awaited = null;
            records.add(photo.source, frame);
            main.post(this::go);
        }
    }

    /** The person has enough: what is there counts. */
    void end() {
        if (!isOver) {
            stop();
            // What is being taken down comes before.
            inference.thread().execute(() -> main.post(this::tellEnd));
        }
    }

    private void tellEnd() {
        hasEnded = true;
        listener.ended();
    }

    /** Nobody wants to know any more. */
    void stop() {
        if (!isOver) {
            isOver = true;
            awaited = null;
            inference.thread().execute(pictures::close);
        }
    }

    /** Whether all that there will be is there. */
    boolean hasEnded() {
        return hasEnded;
    }

    /** How many pictures have been looked at, with the one that is shown. */
    int done() {
        return next;
    }

    /** How many there are. */
    int all() {
        return pictures.count();
    }

    /** How many answers there are. */
    int count() {
        return records.count();
    }

    /** Whether there are more where they are from. */
    boolean isPart() {
        return pictures.isPart();
    }

    /** How many pictures could not be read. */
    int unread() {
        return unread;
    }

    /**
     * The answers for another app; null where there are none.
     *
     * @throws IOException They can't be written.
     */
    @Nullable
    Intent shared(Context context, String told) throws IOException {
        return records.count() == 0 ? null : Shared.json(context, records.json(), told);
    }
}

package mobileq.app;

import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Context;
import android.content.Intent;
import android.graphics.Bitmap;
import android.net.Uri;
import androidx.activity.ComponentActivity;
import androidx.annotation.Nullable;
import androidx.core.content.ContextCompat;
import androidx.core.content.FileProvider;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** A picture with its answer, or a file of answers, for another app. */
final class Shared {
    private static final int PERCENT = 95;

    /** Makes the intent, and writes its file. */
    interface Made {
        /**
         * What starts the choice of an app; null where there is nothing.
         *
         * @throws IOException The file can't be written.
         */
        @Nullable
        Intent intent() throws IOException;
    }

    /**
     * Makes it on a thread where that holds up no screen, and lets the person choose an app.
     *
     * @param failed Takes a sentence, on the main thread.
     */
    static void start(
            ComponentActivity activity, Executor thread, Made made, Consumer<String> failed) {
        Executor main = ContextCompat.getMainExecutor(activity);
        thread.execute(
                () -> {
                    try {
                        Intent intent = made.intent();
                        main.execute(() -> start(activity, intent, failed));
                    } catch (IOException | RuntimeException | OutOfMemoryError error) {
                        main.execute(() -> fail(activity, error, failed));
                    }
                });
    }

    private static void start(
            ComponentActivity activity, @Nullable Intent intent, Consumer<String> failed) {
        if (intent == null || activity.isDestroyed()) {
            return;
        }
        try {
            activity.startActivity(intent);
        } catch (ActivityNotFoundException error) {
            fail(activity, error, failed);
        }
    }

    private static void fail(ComponentActivity activity, Throwable error, Consumer<String> failed) {
        failed.accept(activity.getString(R.string.share_failed, error.getMessage()));
    }

    private Shared() {}

    /**
     * Writes the picture where other apps may be let in, in place of the last one.
     *
     * @param told The answer in words.
     * @return What starts the choice of an app.
     * @throws IOException It cannot be written.
     */
    static Intent picture(Context context, Bitmap picture, CharSequence told)
            throws IOException {
        File file = file(context, "picture.jpg");
        try (OutputStream stream = new FileOutputStream(file)) {
            picture.compress(Bitmap.CompressFormat.JPEG, PERCENT, stream);
        }
        return sent(context, file, "image/jpeg", told);
    }

    /**
     * Writes a document likewise.
     *
     * @param told What it is, in words.
     * @return What starts the choice of an app.
     * @throws IOException It cannot be written.
     */
    static Intent json(Context context, String document, CharSequence told) throws IOException {
        File file = file(context, "results.json");
        try (OutputStream stream = new FileOutputStream(file)) {
            stream.write(document.getBytes(StandardCharsets.UTF_8));
        }
        return sent(context, file, "application/json", told);
    }

    private static File file(Context context, String name) throws IOException {
        File folder = new File(context.getCacheDir(), "shared");
        if (!folder.isDirectory() && !folder.mkdirs()) {
            throw new IOException("no folder " + folder);
        }
        return new File(folder, name);
    }

    private static Intent sent(Context context, File file, String type, CharSequence told) {
        String authority = context.getPackageName() + ".shared";
        Uri uri = FileProvider.getUriForFile(context, authority, file);
        Intent send = new Intent(Intent.ACTION_SEND);
        send.setType(type);
        send.putExtra(Intent.EXTRA_STREAM, uri);
        send.putExtra(Intent.EXTRA_TEXT, told.toString());
        send.setClipData(ClipData.newRawUri(told, uri)); // which lets the chooser show it
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        return Intent.createChooser(send, null);
    }
}

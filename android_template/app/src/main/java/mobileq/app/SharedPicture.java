package mobileq.app;

import android.content.ClipData;
import android.content.Context;
import android.content.Intent;
import android.graphics.Bitmap;
import android.net.Uri;
import androidx.core.content.FileProvider;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** A picture with its answer for another app. */
final class SharedPicture {
    private static final int PERCENT = 95;

    private SharedPicture() {}

    /**
     * Writes the picture where other apps may be let in, in place of the last one.
     *
     * @param told The answer in words.
     * @return What starts the choice of an app.
     * @throws IOException It cannot be written.
     */
    static Intent of(Context context, Bitmap picture, CharSequence told) throws IOException {
        File folder = new File(context.getCacheDir(), "shared");
        if (!folder.isDirectory() && !folder.mkdirs()) {
            throw new IOException("no folder " + folder);
        }
        File file = new File(folder, "picture.jpg");
        try (OutputStream stream = new FileOutputStream(file)) {
            picture.compress(Bitmap.CompressFormat.JPEG, PERCENT, stream);
        }
        String authority = context.getPackageName() + ".shared";
        Uri uri = FileProvider.getUriForFile(context, authority, file);
        Intent send = new Intent(Intent.ACTION_SEND);
        send.setType("image/jpeg");
        send.putExtra(Intent.EXTRA_STREAM, uri);
        send.putExtra(Intent.EXTRA_TEXT, told.toString());
        send.setClipData(ClipData.newRawUri(told, uri)); // which lets the chooser show it
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        return Intent.createChooser(send, null);
    }
}

package mobileq.app;

import android.content.ContentResolver;
import android.content.Context;
import android.database.Cursor;
import android.graphics.Bitmap;
import android.media.MediaMetadataRetriever;
import android.net.Uri;
import android.provider.DocumentsContract;
import android.provider.OpenableColumns;
import android.util.Log;
import androidx.annotation.Nullable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * What a person picked, as pictures: each photo, and of each video a frame a second, or 300 spread
 * over a long one. Read on one thread.
 */
final class Pictures {
    private static final long STEP_MILLIS = 1000;
    private static final long MOST_FRAMES = 300;

    /** A photo, or where in a video a frame is. */
    private record Place(Uri uri, String name, long millis) {
        boolean isFrame() {
            return millis >= 0;
        }
    }

    private static final String[] LISTED = {
        DocumentsContract.Document.COLUMN_DOCUMENT_ID,
        DocumentsContract.Document.COLUMN_MIME_TYPE,
        DocumentsContract.Document.COLUMN_DISPLAY_NAME
    };

    private final Context context;
    private final boolean isOne;
    private final List<Place> places = new ArrayList<>();
    private MediaMetadataRetriever video;
    private Uri opened;

    private Pictures(Context context, boolean isOne) {
        this.context = context;
        this.isOne = isOne;
    }

    /**
     * Some.
     *
     * @param context Of the app.
     * @param picked Photos and videos.
     * @throws IOException A video can't be read.
     */
    static Pictures of(Context context, List<Uri> picked) throws IOException {
        ContentResolver resolver = context.getContentResolver();
        Pictures pictures = new Pictures(context, picked.size() == 1);
        for (Uri uri : picked) {
            pictures.add(uri, resolver.getType(uri), name(resolver, uri));
        }
        return pictures;
    }

    /**
     * Those that lie in a folder, by name; not those of folders in it.
     *
     * @param context Of the app.
     * @param tree The folder, as Android's picker names it.
     * @throws IOException It can't be read.
     */
    static Pictures in(Context context, Uri tree) throws IOException {
        Pictures pictures = new Pictures(context, false);
        String folder = DocumentsContract.getTreeDocumentId(tree);
        Uri children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder);
        List<String[]> files = new ArrayList<>();
        try (Cursor row = context.getContentResolver().query(children, LISTED, null, null, null)) {
            while (row != null && row.moveToNext()) {
                String type = row.getString(1);
                if (type != null && (type.startsWith("image/") || isVideo(type))) {
                    String name = row.getString(2) == null ? row.getString(0) : row.getString(2);
                    files.add(new String[] {row.getString(0), type, name});
                }
            }
        }
        files.sort(Comparator.comparing(file -> file[2]));
        for (String[] file : files) {
            Uri uri = DocumentsContract.buildDocumentUriUsingTree(tree, file[0]);
            pictures.add(uri, file[1], file[2]);
        }
        return pictures;
    }

    private void add(Uri uri, @Nullable String type, String name) throws IOException {
        if (isVideo(type)) {
            addFrames(uri, name);
        } else {
            places.add(new Place(uri, name, -1));
        }
    }

    private static boolean isVideo(@Nullable String type) {
        return type != null && type.startsWith("video/");
    }

    /** Of the file, as the person knows it. */
    private static String name(ContentResolver resolver, Uri uri) {
        String[] wanted = {OpenableColumns.DISPLAY_NAME};
        try (Cursor row = resolver.query(uri, wanted, null, null, null)) {
            if (row != null && row.moveToFirst() && row.getString(0) != null) {
                return row.getString(0);
            }
        } catch (RuntimeException error) { // whatever the other app throws
            Log.w("mobileq", "A picture has no name.", error);
        }
        return uri.getLastPathSegment() == null ? uri.toString() : uri.getLastPathSegment();
    }

    private void addFrames(Uri uri, String name) throws IOException {
        open(uri);
        String told = video.extractMetadata(MediaMetadataRetriever.METADATA_KEY_DURATION);
        if (told == null) {
            throw new IOException("no video");
        }
        long duration = Long.parseLong(told);
        long step = Math.max(STEP_MILLIS, duration / MOST_FRAMES);
        for (long at = 0; at == 0 || at < duration; at += step) {
            // A part of a file, as the W3C's media fragments name it.
            String part = String.format(Locale.ROOT, "%s#t=%.3f", name, at / 1e3);
            places.add(new Place(uri, part, at));
        }
    }

    private void open(Uri uri) throws IOException {
        if (uri.equals(opened)) {
            return;
        }
        close();
        video = new MediaMetadataRetriever();
        opened = uri;
        try {
            video.setDataSource(context, uri);
        } catch (RuntimeException error) { // it throws nothing else, and tells little
            close();
            throw new IOException("no video", error);
        }
    }

    int count() {
        return places.size();
    }

    /** Whether the person picked one, and it is one. */
    boolean isOne() {
        return isOne && places.size() == 1;
    }

    /**
     * Decodes one.
     *
     * @throws IOException It can't be read.
     */
    Photo read(int index) throws IOException {
        Place place = places.get(index);
        if (!place.isFrame()) {
            return Photo.read(context.getContentResolver(), place.uri(), place.name());
        }
        open(place.uri());
        @Nullable Bitmap frame;
        try {
            frame =
                    video.getFrameAtTime(
                            1000 * place.millis(), MediaMetadataRetriever.OPTION_CLOSEST);
        } catch (RuntimeException error) {
            throw new IOException("no picture", error);
        }
        if (frame == null) {
            throw new IOException("no picture");
        }
        return Photo.of(frame, place.name());
    }

    /** Lets go of the video. */
    void close() {
        if (video == null) {
            return;
        }
        try {
            video.release();
        } catch (IOException error) { // as of Android 10
            Log.w("mobileq", "A video can't be closed.", error);
        }
        video = null;
        opened = null;
    }
}

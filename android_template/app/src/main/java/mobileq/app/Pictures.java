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
    private static final int MOST_PICTURES = 5000;
    private static final int MOST_FOLDERS = 500;
    private static final int DEEPEST = 8;

    /** A photo, or where in a video a frame is. */
    private record Place(Uri uri, String name, long millis) {
        boolean isFrame() {
            return millis >= 0;
        }
    }

    /** What lies in a folder. */
    private record Listed(String id, String type, String name) {
        boolean isFolder() {
            return type.equals(DocumentsContract.Document.MIME_TYPE_DIR);
        }

        boolean isPicture() {
            return type.startsWith("image/") || isVideo(type);
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
    private int folders;
    private boolean isPart;

    private Pictures(Context context, boolean isOne) {
        this.context = context;
        this.isOne = isOne;
    }

    /**
     * Some.
     *
     * @param context Of the app.
     * @param picked Photos and videos.
     */
    static Pictures of(Context context, List<Uri> picked) {
        ContentResolver resolver = context.getContentResolver();
        Pictures pictures = new Pictures(context, picked.size() == 1);
        for (Uri uri : picked) {
            pictures.add(uri, resolver.getType(uri), name(resolver, uri));
        }
        return pictures;
    }

    /**
     * Those that lie in a folder and in the folders in it, by name. What is hidden, as thumbnails
     * are, is left out.
     *
     * @param context Of the app.
     * @param tree The folder, as Android's picker names it.
     */
    static Pictures in(Context context, Uri tree) {
        Pictures pictures = new Pictures(context, false);
        pictures.addFolder(tree, DocumentsContract.getTreeDocumentId(tree), "", 0);
        return pictures;
    }

    private void addFolder(Uri tree, String folder, String path, int depth) {
        if (depth > DEEPEST || ++folders > MOST_FOLDERS) {
            isPart = true;
            return;
        }
        for (Listed each : listed(tree, folder)) {
            String name = path + each.name();
            if (each.isFolder()) {
                try {
                    addFolder(tree, each.id(), name + '/', depth + 1);
                } catch (RuntimeException error) { // whatever the other app throws
                    Log.w("mobileq", "A folder can't be read.", error);
                    isPart = true;
                }
            } else if (each.isPicture()) {
                Uri uri = DocumentsContract.buildDocumentUriUsingTree(tree, each.id());
                add(uri, each.type(), name);
            }
        }
    }

    private List<Listed> listed(Uri tree, String folder) {
        Uri children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder);
        List<Listed> found = new ArrayList<>();
        try (Cursor row = context.getContentResolver().query(children, LISTED, null, null, null)) {
            while (row != null && row.moveToNext()) {
                String id = row.getString(0);
                String name = row.getString(2) == null ? id : row.getString(2);
                if (!name.startsWith(".")) {
                    found.add(new Listed(id, String.valueOf(row.getString(1)), name));
                }
            }
        }
        found.sort(Comparator.comparing(Listed::name));
        return found;
    }

    private void add(Uri uri, @Nullable String type, String name) {
        if (places.size() >= MOST_PICTURES) {
            isPart = true;
        } else if (isVideo(type)) {
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

    private void addFrames(Uri uri, String name) {
        long duration = 0;
        try {
            open(uri);
            String told = video.extractMetadata(MediaMetadataRetriever.METADATA_KEY_DURATION);
            duration = told == null ? 0 : Long.parseLong(told);
        } catch (IOException | NumberFormatException error) { // it counts where it is to be read
            Log.w("mobileq", "A video can't be read.", error);
        } finally {
            close();
        }
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

    /** Whether the folder holds more: too many, or too deep, or what can't be read. */
    boolean isPart() {
        return isPart;
    }

    /** Whether the person picked one, and it is one. */
    boolean isOne() {
        return isOne && places.size() == 1;
    }

    /**
     * Decodes the only one.
     *
     * @throws IOException It can't be read.
     */
    Photo readOne() throws IOException {
        try {
            return read(0);
        } finally {
            close();
        }
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

package mobileq.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertTrue;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.graphics.Bitmap;
import android.media.MediaMetadataRetriever;
import android.net.Uri;
import android.os.Looper;
import android.provider.DocumentsContract;
import android.view.View;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowMediaMetadataRetriever;
import org.robolectric.shadows.util.DataSource;

/** Several photos, a folder or a video, one picture after the other. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class SeriesTest extends ScreenTest {
    /** The file that the app handed out last. */
    private Path shared() throws Exception {
        Intent chooser =
                Shadows.shadowOf(RuntimeEnvironment.getApplication()).getNextStartedActivity();
        Intent sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
        assertEquals("application/json", sent.getType());
        return app.activity.getCacheDir().toPath().resolve("shared/results.json");
    }

    /** So many are picked, and what was ready by then has happened. */
    private void pickPhotos(int count) throws Exception {
        List<Uri> many = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            many.add(there("content://photos/" + i + ".png", photo()));
        }
        pick(many);
        app.settle();
    }

    @Test
    public void severalPhotosAreAnalysedOneAfterTheOtherAndSharedAsCoco() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        Uri gone = Uri.parse("content://photos/none.png");
        pick(
                List.of(
                        there("content://photos/a.png", photo()),
                        gone,
                        there("content://photos/b.png", photo())));
        assertEnds("2 pictures analysed. Not readable: 1.");
        app.screenshot("series");
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
        app.click(R.id.notice_action);
        String text = Files.readString(shared());
        int boxes = CameraFrame.read("tflite-fp32-0").detections.length;
        assertEquals(2 * boxes, text.split("\"bbox\"", -1).length - 1);
        assertTrue(text, text.contains("\"file_name\":\"a.png\""));
        assertTrue(text, text.contains("\"file_name\":\"b.png\""));
        app.click(R.id.pick_photo);
        assertFalse(app.isVisible(R.id.notice));
    }

    @Test
    public void aSeriesGoesOnWhereTheScreenIsMadeAnew() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pickPhotos(12);
        String before = app.text(R.id.notice_text);
        assertTrue(before, before.endsWith(" of 12"));
        assertTrue(app.activity.findViewById(R.id.preview).getKeepScreenOn());
        MainActivity first = app.activity;
        app.changeConfiguration("+night");
        assertNotSame(first, app.activity);
        assertEnds("12 pictures analysed.");
        app.changeConfiguration("+xxhdpi");
        assertEnds("12 pictures analysed.");
        app.click(R.id.notice_action);
        assertEquals(12, Files.readString(shared()).split("\"file_name\"", -1).length - 1);
    }

    @Test
    public void ofASeriesWithoutAnAnswerNothingIsToBeShared() throws Exception {
        app = new AppUnderTest(true);
        pick(List.of(Uri.parse("content://photos/none.png"), Uri.parse("content://photos/no.png")));
        assertEnds("0 pictures analysed. Not readable: 2.");
        assertFalse(app.isVisible(R.id.notice_action));
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(9));
        assertFalse(app.isVisible(R.id.notice));
    }

    @Test
    public void thePicturesOfAFolderAreAnalysedByName() throws Exception {
        Folder.files = List.of("b.png image/png", "notes.txt text/plain", "a.png image/jpeg");
        openFolder();
        assertEnds("2 pictures analysed.");
        app.click(R.id.notice_action);
        String text = Files.readString(shared());
        assertTrue(text, text.indexOf("\"a.png\"") < text.indexOf("\"b.png\""));
        assertFalse(text, text.contains("notes.txt"));
    }

    @Test
    public void aFolderWithoutPhotosIsASentenceForAWhile() throws Exception {
        Folder.files = List.of("notes.txt text/plain");
        openFolder();
        app.settle();
        assertEquals("There is no photo in this folder.", app.text(R.id.notice_text));
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(9));
        assertFalse(app.isVisible(R.id.notice));
    }

    @Test
    public void thePicturesOfFoldersInItAreAnalysedToo() throws Exception {
        Folder.files =
                List.of(
                        "more/c.png image/png",
                        "b.png image/png",
                        ".thumbnails/t.png image/png",
                        "more/deep/d.png image/png",
                        "a/.trashed-e.png image/png");
        openFolder();
        assertEnds("3 pictures analysed.");
        app.click(R.id.notice_action);
        String text = Files.readString(shared());
        int first = text.indexOf("\"file_name\":\"b.png\"");
        int second = text.indexOf("\"file_name\":\"more/c.png\"");
        int third = text.indexOf("\"file_name\":\"more/deep/d.png\"");
        assertTrue(text, 0 < first && first < second && second < third);
    }

    @Test
    public void ofAFolderThatHoldsMoreThanIsLookedAtALineSaysSo() throws Exception {
        Folder.files = List.of("a.png image/png", "1/2/3/4/5/6/7/8/9/deep.png image/png");
        openFolder();
        assertEnds("1 picture analysed. The folder holds more.");
    }

    @Test
    public void aFolderThatCannotBeReadIsToldOf() throws Exception {
        Folder.files = List.of("a.png image/png", "locked/b.png image/png", "z.png image/png");
        openFolder();
        assertEnds("2 pictures analysed. The folder holds more.");
    }

    @Test
    public void aFolderOfThousandsEndsSomewhere() throws Exception {
        Folder.files = new ArrayList<>();
        for (int i = 0; i < 5001; i++) {
            Folder.files.add(i + ".png image/png");
        }
        app = new AppUnderTest(true);
        Robolectric.setupContentProvider(Folder.class, "folders");
        Uri tree = DocumentsContract.buildTreeDocumentUri("folders", "pictures");
        Pictures pictures = Pictures.in(app.activity, tree);
        assertEquals(5000, pictures.count());
        assertTrue(pictures.isPart());
        Folder.files.remove(0);
        assertFalse(Pictures.in(app.activity, tree).isPart());
    }

    private void openFolder() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        app.pick(R.string.pick_folder);
        Intent asked =
                Shadows.shadowOf(app.activity).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_OPEN_DOCUMENT_TREE, asked.getAction());
        Robolectric.setupContentProvider(Folder.class, "folders");
        Uri tree = DocumentsContract.buildTreeDocumentUri("folders", "pictures");
        for (String file : Folder.files) {
            String id = "pictures/" + file.split(" ")[0];
            there(DocumentsContract.buildDocumentUriUsingTree(tree, id).toString(), photo());
        }
        app.activity.onFolder(tree);
    }

    /** Another app's, whose documents are called after their paths. */
    public static final class Folder extends Videos {
        /** Path and type; what is in a folder called "locked" is not handed out. */
        static List<String> files;

        @Override
        public Cursor query(Uri uri, String[] columns, String where, String[] with, String order) {
            String folder = DocumentsContract.getDocumentId(uri) + "/";
            if (folder.endsWith("/locked/")) {
                throw new SecurityException("not yours");
            }
            Map<String, String> types = new LinkedHashMap<>();
            for (String file : files) {
                String[] parts = file.split(" ");
                String path = "pictures/" + parts[0];
                if (path.startsWith(folder)) {
                    int end = path.indexOf('/', folder.length());
                    boolean isFile = end < 0;
                    types.put(
                            isFile ? path : path.substring(0, end),
                            isFile ? parts[1] : DocumentsContract.Document.MIME_TYPE_DIR);
                }
            }
            MatrixCursor found = new MatrixCursor(columns);
            types.forEach(
                    (id, type) ->
                            found.addRow(
                                    new Object[] {id, type, id.substring(id.lastIndexOf('/') + 1)}));
            return found;
        }
    }

    @Test
    public void aVideoThatCannotBeReadIsCountedAsOthersAre() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        Uri video = Uri.parse("content://videos/8");
        Robolectric.setupContentProvider(Videos.class, "videos");
        ShadowMediaMetadataRetriever.addException(
                DataSource.toDataSource(app.activity.getApplicationContext(), video),
                new IllegalArgumentException("broken"));
        pick(List.of(there("content://photos/a.png", photo()), video));
        assertEnds("1 picture analysed. Not readable: 1.");
        pick(List.of(video));
        app.settle();
        assertEquals("The photo cannot be read: no video", app.text(R.id.notice_text));
    }

    /** What a reader of the screen was told last. */
    private String said() {
        return String.valueOf(app.answer().getContentDescription());
    }

    @Test
    public void aReaderOfTheScreenHearsHowFarItIsNowAndThen() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pickPhotos(40);
        String first = said();
        assertTrue(first, first.matches("Picture \\d+ of 40\\. Picture with .*"));
        assertEquals(0, app.activity.findViewById(R.id.notice_text).getAccessibilityLiveRegion());
        app.settle();
        assertTrue(app.kept().picked().isRunning());
        assertEquals("said too often", first, said());
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(10));
        String next = said();
        assertTrue(next, next.matches("Picture \\d+ of 40\\. .*") && !next.equals(first));
        assertEnds("40 pictures analysed.");
        assertEquals(
                View.ACCESSIBILITY_LIVE_REGION_POLITE,
                app.activity.findViewById(R.id.notice_text).getAccessibilityLiveRegion());
        Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(10));
        assertTrue(said(), said().startsWith("Picture with "));
    }

    @Test
    public void aPersonMayHaveEnoughOfMany() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pickPhotos(40);
        assertTrue(app.text(R.id.notice_text), app.text(R.id.notice_text).endsWith(" of 40"));
        app.click(R.id.notice_action);
        app.settle();
        String said = app.text(R.id.notice_text);
        assertTrue(said, said.matches("\\d+ pictures? analysed\\."));
        assertTrue(said, Integer.parseInt(said.split(" ")[0]) < 40);
    }

    @Test
    public void aVideoIsAnalysedSecondForSecond() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        Uri video = Uri.parse("content://videos/7");
        Robolectric.setupContentProvider(Videos.class, "videos");
        DataSource source = DataSource.toDataSource(app.activity.getApplicationContext(), video);
        ShadowMediaMetadataRetriever.addMetadata(
                source, MediaMetadataRetriever.METADATA_KEY_DURATION, "2500");
        Bitmap frame = CameraFrame.read("tflite-fp32-0").bitmap();
        for (long second = 0; second < 3; second++) {
            ShadowMediaMetadataRetriever.addFrame(source, second * 1_000_000, frame);
        }
        Pictures pictures = Pictures.of(app.activity, List.of(video));
        assertEquals(3, pictures.count());
        assertEquals("clip.mp4#t=2.000", pictures.read(2).source.name());
        pictures.close();
        pick(List.of(video));
        assertEnds("3 pictures analysed.");
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
    }

    /** Another app's, that knows of one. */
    public static class Videos extends ContentProvider {
        @Override
        public boolean onCreate() {
            return true;
        }

        @Override
        public String getType(Uri uri) {
            return "video/mp4";
        }

        @Override
        public Cursor query(Uri uri, String[] columns, String where, String[] with, String order) {
            MatrixCursor found = new MatrixCursor(columns);
            found.addRow(new Object[] {"clip.mp4"});
            return found;
        }

        @Override
        public Uri insert(Uri uri, ContentValues values) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int delete(Uri uri, String where, String[] with) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int update(Uri uri, ContentValues values, String where, String[] with) {
            throw new UnsupportedOperationException();
        }
    }

    private void assertEnds(String sentence) {
        for (int i = 0; i < 50 && !app.text(R.id.notice_text).contains("analysed"); i++) {
            app.settle();
        }
        assertTrue(app.isVisible(R.id.notice));
        assertEquals(sentence, app.text(R.id.notice_text));
        app.settle();
    }
}

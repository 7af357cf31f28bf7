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
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.image.Frame;
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

@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PhotoTest extends ScreenTest {
    /** What the system's picker does once a file of these bytes was chosen. */
    private void pick(String address, byte[] file) {
        pick(List.of(there(address, file)));
    }

    private Uri there(String address, byte[] file) {
        Uri uri = Uri.parse(address);
        Shadows.shadowOf(app.activity.getContentResolver())
                .registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(file));
        return uri;
    }

    private void pick(List<Uri> picked) {
        app.activity.onPicked(picked);
    }

    private static byte[] photo() throws Exception {
        return Files.readAllBytes(Path.of(System.getProperty("photo")));
    }

    /** The file that the app handed out last. */
    private Path shared() throws Exception {
        Intent chooser =
                Shadows.shadowOf(RuntimeEnvironment.getApplication()).getNextStartedActivity();
        Intent sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
        assertEquals("application/json", sent.getType());
        return app.activity.getCacheDir().toPath().resolve("shared/results.json");
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
        List<Uri> some = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            some.add(there("content://photos/" + i + ".png", photo()));
        }
        pick(some);
        app.settle();
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
            Uri uri = DocumentsContract.buildDocumentUriUsingTree(tree, file);
            there(uri.toString(), photo());
        }
        app.activity.onFolder(tree);
    }

    /** Another app's, whose documents are called after their names and types. */
    public static final class Folder extends Videos {
        static List<String> files;

        @Override
        public Cursor query(Uri uri, String[] columns, String where, String[] with, String order) {
            MatrixCursor found = new MatrixCursor(columns);
            for (String file : files) {
                String[] parts = file.split(" ");
                found.addRow(new Object[] {file, parts[1], parts[0]});
            }
            return found;
        }
    }

    @Test
    public void aPersonMayHaveEnoughOfMany() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        List<Uri> many = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            many.add(there("content://photos/" + i + ".png", photo()));
        }
        pick(many);
        app.settle();
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

    @Test
    public void aPickedPhotoIsAnalysedAsTheCameraIs() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/1", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        assertTrue(app.isVisible(R.id.photo));
        assertEquals("Camera", app.text(R.id.pick_photo));
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
        app.screenshot("photo");
        app.choose(R.id.models, "tflite-int8"); // the photo is analysed again
        assertSame(CameraFrame.read("tflite-int8-0"), app.shown());
        app.click(R.id.pick_photo);
        assertFalse(app.isVisible(R.id.photo));
        CameraFrame frame = CameraFrame.read("tflite-int8-90");
        app.deliver(frame);
        assertSame(frame, app.shown());
    }

    @Test
    public void inFullScreenOnlyWhatIsShownOfAPhotoIsAnalysed() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/5", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        int all = app.shown().count();
        app.click(R.id.full_screen);
        app.settle();
        Frame frame = app.kept().picked().photo().frame;
        View stage = app.activity.findViewById(R.id.stage);
        assertEquals(frame.height, frame.cropHeight);
        assertEquals(frame.height * stage.getWidth() / stage.getHeight(), frame.cropWidth, 1);
        assertEquals((frame.width - frame.cropWidth) / 2, frame.cropLeft, 1);
        assertTrue(app.shown().count() < all);
        for (int i = 0; i < app.shown().count(); i++) {
            assertTrue(app.shown().left(i) >= frame.cropLeft);
            assertTrue(app.shown().right(i) <= frame.cropLeft + frame.cropWidth);
        }
        app.screenshot("photo-full-screen");
        app.click(R.id.stage);
        assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
    }

    @Test
    public void aPickedPhotoStaysWhereTheScreenIsMadeAnew() throws Exception {
        app = new AppUnderTest(true);
        app.choose(R.id.devices, "CPU");
        pick("content://photos/4", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.settle();
        for (String qualifiers : new String[] {"+xxhdpi", "+de"}) {
            MainActivity before = app.activity;
            app.changeConfiguration(qualifiers);
            assertNotSame(before, app.activity);
            assertTrue(app.isVisible(R.id.photo));
            assertSame(CameraFrame.read("tflite-fp32-0"), app.shown());
        }
        app.click(R.id.pick_photo);
        app.changeConfiguration("+xhdpi");
        assertFalse(app.isVisible(R.id.photo));
    }

    @Test
    public void aPhotoThatIsReadWhenTheAppWasLeftIsForgotten() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/3", Files.readAllBytes(Path.of(System.getProperty("photo"))));
        app.close(); // the photo is read to its end
        Shadows.shadowOf(Looper.getMainLooper()).idle();
        app = null;
    }

    @Test
    public void whereNoAppOffersPhotosASentenceSaysSo() throws Exception {
        app = new AppUnderTest(true);
        Shadows.shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        for (int words : new int[] {R.string.pick_photos, R.string.pick_folder}) {
            app.pick(words);
            String said = app.text(R.id.notice_text);
            assertTrue(said, said.startsWith("This device has no app"));
        }
    }

    @Test
    public void aFileThatIsNoPhotoIsASentence() throws Exception {
        app = new AppUnderTest(true);
        pick("content://photos/2", new byte[9]);
        app.settle();
        assertTrue(app.text(R.id.notice_text).startsWith("The photo cannot be read: "));
    }
}

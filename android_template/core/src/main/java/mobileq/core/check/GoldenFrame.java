package mobileq.core.check;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPInputStream;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import mobileq.core.run.ModelSource;

/**
 * The bundle's golden frame, and what the float model makes of it.
 *
 * @param frame The picture.
 * @param wanted {@code golden.json}.
 */
record GoldenFrame(Frame frame, Fields wanted) {
    private static final String FOLDER = "golden/";
    private static final String PACKED = ".gz";

    /**
     * Reads them.
     *
     * @param bundle Where they are.
     * @return Null where the bundle has no frame: it was made without a picture.
     * @throws BundleException They are not what they should be.
     */
    static GoldenFrame read(ModelSource bundle) throws BundleException {
        try {
            byte[] text = bundle.read(FOLDER + "golden.json");
            Fields wanted =
                    Fields.of(JsonReader.read(new String(text, StandardCharsets.UTF_8)));
            String name = wanted.textOrNull("frame");
            if (name == null) {
                return null;
            }
            Frame frame = new Frame();
            int width = wanted.integer("width");
            frame.pixels = unpacked(bundle, FOLDER + name);
            int rotation = wanted.integer("rotation", 0);
            frame.describe(width, wanted.integer("height"), 4 * width, rotation);
            return new GoldenFrame(frame, wanted);
        } catch (IOException error) {
            return null;
        } catch (IllegalArgumentException error) {
            throw new BundleException("The golden frame is broken: " + error.getMessage(), error);
        }
    }

    /** The Android Gradle plugin unpacks assets whose names end in .gz, and cuts that off. */
    private static byte[] unpacked(ModelSource bundle, String path) throws IOException {
        byte[] packed;
        try {
            packed = bundle.read(path);
        } catch (IOException error) {
            if (!path.endsWith(PACKED)) {
                throw error;
            }
            return bundle.read(path.substring(0, path.length() - PACKED.length()));
        }
        try (InputStream stream = new GZIPInputStream(new ByteArrayInputStream(packed))) {
            return ModelSource.readAll(stream);
        }
    }
}

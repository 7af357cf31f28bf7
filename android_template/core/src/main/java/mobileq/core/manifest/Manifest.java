package mobileq.core.manifest;

import java.util.List;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.json.JsonReader;
import mobileq.core.manifest.decode.DecodeSpec;

/**
 * All that a bundle says about itself: {@code manifest.json}.
 *
 * @param model What every artifact was made from.
 * @param artifacts The converted files.
 * @param files Every file of the bundle but the manifest itself, by its path.
 */
public record Manifest(ModelSpec model, List<Artifact> artifacts, Map<String, FileEntry> files) {
    /** Its place in a bundle. */
    public static final String FILE_NAME = "manifest.json";

    private static final int SCHEMA_VERSION = 3;

    /** Without {@code failures}, and with other recipes: the app has no use for either. */
    private static final int OLDEST_VERSION = 1;

    /**
     * Reads a manifest strictly: unknown fields and values of the wrong type are errors.
     *
     * @param json The file's text.
     * @return What it says.
     * @throws BundleException One sentence that names the field.
     */
    public static Manifest parse(String json) throws BundleException {
        try {
            return read(Fields.of(JsonReader.read(json)));
        } catch (BundleException error) {
            throw new BundleException(
                    FILE_NAME + " cannot be used: " + error.getMessage() + ".", error);
        }
    }

    private static Manifest read(Fields fields) throws BundleException {
        int version = fields.integer("schema_version", SCHEMA_VERSION);
        if (version < OLDEST_VERSION || version > SCHEMA_VERSION) {
            throw fields.wrong(
                    "schema_version",
                    "it is %d, and this app knows %d; make the app again with a newer mobileq",
                    version,
                    SCHEMA_VERSION);
        }
        Manifest manifest =
                new Manifest(
                        fields.object("model", ModelSpec::read),
                        fields.objects("artifacts", Artifact::read),
                        fields.objectMap("files", FileEntry::read));
        fields.object("source", Manifest::skipSource);
        fields.object("run", Manifest::skipRun);
        fields.objectOrNull("calibration", Manifest::skipCalibration);
        fields.objects("failures", Manifest::skipFailure);
        fields.plain("measurements");
        fields.plain("tool_versions");
        fields.text("content_sha256", "");
        fields.end();
        manifest.check(fields);
        return manifest;
    }

    /** The app has no use for what follows, but a field that nobody knows is an error there too. */
    private static Void skipSource(Fields fields) throws BundleException {
        fields.text("file_name");
        fields.text("sha256");
        fields.integer("opset");
        fields.longInteger("size_bytes");
        fields.plain("set_inputs");
        return null;
    }

    private static Void skipRun(Fields fields) throws BundleException {
        fields.text("created");
        fields.texts("command");
        return null;
    }

    private static Void skipCalibration(Fields fields) throws BundleException {
        fields.text("source");
        fields.integer("count");
        fields.longInteger("seed");
        fields.texts("ids");
        fields.pairs("skipped");
        return null;
    }

    private static Void skipFailure(Fields fields) throws BundleException {
        fields.text("target");
        fields.text("precision");
        fields.text("file_name");
        fields.text("stage");
        fields.text("reason");
        fields.text("hint", "");
        return null;
    }

    private void check(Fields fields) throws BundleException {
        for (int i = 0; i < artifacts.size(); i++) {
            Artifact artifact = artifacts.get(i);
            String name = "artifacts[" + i + "]";
            FileEntry listed = files.get(artifact.path());
            if (listed == null) {
                throw fields.wrong(name, "'%s' is not in `files`", artifact.path());
            }
            if (!listed.equals(new FileEntry(artifact.sha256(), artifact.sizeBytes()))) {
                throw fields.wrong(name, "size or hash differs from that in `files`");
            }
            if (artifact.inputs().size() != model.inputs().size()) {
                throw fields.wrong(
                        name,
                        "%d inputs where the model has %d",
                        artifact.inputs().size(),
                        model.inputs().size());
            }
        }
    }

    /** How the outputs of one of the artifacts are decoded; null where they can't be. */
    public DecodeSpec decodeOf(Artifact artifact) {
        return artifact.decode() != null ? artifact.decode() : model.decode();
    }
}

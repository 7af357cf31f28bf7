package mobileq.core.manifest;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.json.Fields;
import mobileq.core.manifest.decode.DecodeSpec;

/**
 * One converted file.
 *
 * @param target {@code tflite}, {@code mnn} ...
 * @param precision {@code fp32}, {@code int8} ...
 * @param path Inside the bundle, with forward slashes.
 * @param sha256 Of the file, hexadecimal.
 * @param sizeBytes Of the file.
 * @param inputs In the file's order.
 * @param outputs In the file's order.
 * @param recipe How it was made.
 * @param decode How its outputs are decoded, where it has another head than the model; else null.
 * @param notes For people.
 */
public record Artifact(
        String target,
        String precision,
        String path,
        String sha256,
        long sizeBytes,
        List<TensorSpec> inputs,
        List<TensorSpec> outputs,
        QuantRecipe recipe,
        DecodeSpec decode,
        List<String> notes) {
    static Artifact read(Fields fields) throws BundleException {
        Artifact artifact =
                new Artifact(
                        fields.text("target"),
                        fields.text("precision"),
                        fields.text("path"),
                        fields.text("sha256"),
                        fields.longInteger("size_bytes"),
                        fields.objects("inputs", TensorSpec::read),
                        fields.objects("outputs", TensorSpec::read),
                        fields.object("recipe", QuantRecipe::read),
                        fields.objectOrNull("decode", DecodeSpec::read),
                        fields.texts("notes"));
        fields.plain("ops");
        fields.plain("tool_versions");
        return artifact;
    }

    /** Short name, unique in a bundle: {@code tflite-int8}. */
    public String name() {
        return target + "-" + precision;
    }

    /** Whether it computes with floats. */
    public boolean isFloat() {
        return precision.startsWith("fp");
    }

    /**
     * Holds a file's length against the manifest.
     *
     * @param length Bytes.
     * @throws BundleException It is another.
     */
    public void requireLength(long length) throws BundleException {
        if (length != sizeBytes) {
            throw new BundleException(
                    path
                            + " has "
                            + length
                            + " bytes where the manifest says "
                            + sizeBytes
                            + ".");
        }
    }

    /**
     * An error about the file.
     *
     * @param cause Why it can't be read.
     */
    public BundleException unreadable(Exception cause) {
        return new BundleException(path + " cannot be read: " + cause.getMessage() + ".", cause);
    }
}

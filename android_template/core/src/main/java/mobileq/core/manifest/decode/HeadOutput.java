package mobileq.core.manifest.decode;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * What one output tensor of a head holds.
 *
 * @param name The tensor's.
 * @param role What it holds.
 * @param stride In pixels; null where it is not of one stride only.
 */
public record HeadOutput(String name, OutputRole role, Integer stride) {
    static HeadOutput read(Fields fields) throws BundleException {
        return new HeadOutput(
                fields.text("name"),
                fields.constant("role", OutputRole.class),
                fields.integerOrNull("stride"));
    }
}

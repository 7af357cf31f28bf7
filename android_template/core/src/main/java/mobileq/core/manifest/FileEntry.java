package mobileq.core.manifest;

import mobileq.core.BundleException;
import mobileq.core.json.Fields;

/**
 * One file of a bundle.
 *
 * @param sha256 Hexadecimal.
 * @param sizeBytes Of the file.
 */
public record FileEntry(String sha256, long sizeBytes) {
    static FileEntry read(Fields fields) throws BundleException {
        return new FileEntry(fields.text("sha256"), fields.longInteger("size_bytes"));
    }
}

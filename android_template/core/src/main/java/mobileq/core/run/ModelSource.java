package mobileq.core.run;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;

/** Where a bundle's model files come from: the assets of an app, a folder. */
public interface ModelSource {
    /**
     * Maps a model file into memory.
     *
     * @param artifact Which.
     * @return Its content, read-only.
     * @throws BundleException It can't be read, or is of another length than the manifest says.
     */
    ByteBuffer map(Artifact artifact) throws BundleException;

    /**
     * Reads a model file.
     *
     * @param artifact Which.
     * @return Its content.
     * @throws BundleException It can't be read, or is of another length than the manifest says.
     */
    default byte[] bytes(Artifact artifact) throws BundleException {
        try {
            byte[] content = read(artifact.path());
            artifact.requireLength(content.length);
            return content;
        } catch (IOException error) {
            throw artifact.unreadable(error);
        }
    }

    /**
     * Reads a file of the bundle.
     *
     * @param path In the bundle.
     * @return Its content.
     * @throws IOException There is none, or it can't be read.
     */
    default byte[] read(String path) throws IOException {
        try (InputStream stream = open(path)) {
            return readAll(stream);
        }
    }

    /** What is left of a stream; its own readAllBytes is of Android 13. */
    static byte[] readAll(InputStream stream) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream(stream.available());
        byte[] block = new byte[1 << 16];
        for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
            content.write(block, 0, count);
        }
        return content.toByteArray();
    }

    /**
     * Opens a file of the bundle.
     *
     * @param path In the bundle.
     * @return Its content; to be closed.
     * @throws IOException There is none, or it can't be read.
     */
    InputStream open(String path) throws IOException;

    /**
     * Where a runtime keeps what it compiled for this device, so that the next start is quick.
     *
     * @return A folder of the app's own, emptied when the app or the system changes; null where
     *     nothing is to be kept.
     */
    default File compiled() {
        return null;
    }
}

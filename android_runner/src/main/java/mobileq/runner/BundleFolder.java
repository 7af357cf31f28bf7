package mobileq.runner;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.ModelSource;

/** A bundle as it lies on a disk. {@code java.nio.file} came with Android 8. */
final class BundleFolder implements ModelSource {
    private final File folder;

    BundleFolder(String path) {
        folder = new File(path);
    }

    /**
     * Reads the manifest.
     *
     * @throws BundleException It is missing or wrong.
     */
    Manifest manifest() throws BundleException {
        try {
            byte[] text = read(Manifest.FILE_NAME);
            return Manifest.parse(new String(text, StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new BundleException(folder + " is no bundle: " + error.getMessage() + ".", error);
        }
    }

    @Override
    public ByteBuffer map(Artifact artifact) throws BundleException {
        try (FileInputStream stream = new FileInputStream(new File(folder, artifact.path()))) {
            FileChannel channel = stream.getChannel();
            artifact.requireLength(channel.size());
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
        } catch (IOException error) {
            throw artifact.unreadable(error);
        }
    }

    @Override
    public InputStream open(String path) throws IOException {
        return new FileInputStream(new File(folder, path));
    }
}

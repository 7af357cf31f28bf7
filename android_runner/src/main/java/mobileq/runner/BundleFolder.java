package mobileq.runner;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
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
    public byte[] bytes(Artifact artifact) throws BundleException {
        try {
            byte[] content = read(artifact.path());
            artifact.requireLength(content.length);
            return content;
        } catch (IOException error) {
            throw artifact.unreadable(error);
        }
    }

    private byte[] read(String path) throws IOException {
        try (FileInputStream stream = new FileInputStream(new File(folder, path))) {
            ByteArrayOutputStream content = new ByteArrayOutputStream(stream.available());
            byte[] block = new byte[1 << 16];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                content.write(block, 0, count);
            }
            return content.toByteArray();
        }
    }
}

package mobileq.app;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import android.util.Log;
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

/** The bundle in the app's assets, as {@code mobileq convert} wrote it. */
public final class BundleAssets implements ModelSource {
    private static final String FOLDER = "bundle/";

    private final AssetManager assets;
    private final File compiled;

    /**
     * @param assets Of the app.
     * @param compiled What runtimes compile is kept here.
     */
    public BundleAssets(AssetManager assets, File compiled) {
        this.assets = assets;
        this.compiled = compiled;
    }

    @Override
    public File compiled() {
        return compiled;
    }

    /** Forgets what runtimes compiled: a start that ended the process may have left half of it. */
    public void clearCompiled() {
        clear(compiled);
    }

    private static void clear(File folder) {
        File[] files = folder.listFiles();
        if (files == null) { // no folder
            return;
        }
        for (File file : files) {
            clear(file);
            if (!file.delete()) {
                Log.w("mobileq", file + " can't be deleted.");
            }
        }
    }

    /**
     * Reads the manifest.
     *
     * @return What the bundle holds.
     * @throws BundleException It is missing or wrong: one sentence for the screen.
     */
    public Manifest manifest() throws BundleException {
        byte[] text;
        try {
            text = read(Manifest.FILE_NAME);
        } catch (IOException error) {
            throw new BundleException("There is no bundle in this app's assets.", error);
        }
        return Manifest.parse(new String(text, StandardCharsets.UTF_8));
    }

    /** The app's, for runtimes that read there themselves. */
    public AssetManager assets() {
        return assets;
    }

    /**
     * Where a model file is.
     *
     * @param artifact Which.
     * @return Its name among {@link #assets}.
     */
    public String place(Artifact artifact) {
        return FOLDER + artifact.path();
    }

    /** It is stored in the APK uncompressed. */
    @Override
    public ByteBuffer map(Artifact artifact) throws BundleException {
        try (AssetFileDescriptor file = assets.openFd(place(artifact));
                FileInputStream stream = new FileInputStream(file.getFileDescriptor())) {
            artifact.requireLength(file.getLength());
            return stream.getChannel()
                    .map(FileChannel.MapMode.READ_ONLY, file.getStartOffset(), file.getLength());
        } catch (IOException error) {
            throw artifact.unreadable(error);
        }
    }

    @Override
    public InputStream open(String path) throws IOException {
        return assets.open(FOLDER + path);
    }
}

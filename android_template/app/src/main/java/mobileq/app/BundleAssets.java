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
import java.util.ArrayList;
import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.ModelSource;

/** A bundle in the app's assets, as {@code mobileq convert} wrote it. */
public final class BundleAssets implements ModelSource {
    private static final String FOLDER = "bundle/";

    private static final String BUNDLES = "bundles.txt";

    private final AssetManager assets;
    private final String folder;
    private final File compiled;

    private BundleAssets(AssetManager assets, String folder, File compiled) {
        this.assets = assets;
        this.folder = folder;
        this.compiled = compiled;
    }

    /**
     * All bundles of the app, in their order: the one, or those that a list names.
     *
     * @param assets Of the app.
     * @param compiled What runtimes compile is kept here.
     */
    public static List<BundleAssets> all(AssetManager assets, File compiled) {
        BundleAssets one = new BundleAssets(assets, FOLDER, compiled);
        List<BundleAssets> several = new ArrayList<>();
        try {
            String list = new String(one.read(BUNDLES), StandardCharsets.UTF_8);
            for (String name : list.trim().split("\n", -1)) {
                several.add(new BundleAssets(assets, FOLDER + name + "/", compiled));
            }
        } catch (IOException error) { // it is not there
            several.add(one);
        }
        return several;
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
        return folder + artifact.path();
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
        return assets.open(folder + path);
    }
}

package mobileq.core.run;

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
    byte[] bytes(Artifact artifact) throws BundleException;
}

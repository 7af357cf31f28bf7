package mobileq.app;

import java.util.ArrayList;
import java.util.List;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;

/** A model file that a person may choose, and the bundle that it is of. */
record Offer(BundleAssets bundle, Manifest manifest, Artifact artifact) {
    /** All files of a bundle. */
    static List<Offer> of(BundleAssets bundle, Manifest manifest) {
        List<Offer> offers = new ArrayList<>();
        for (Artifact artifact : manifest.artifacts()) {
            offers.add(new Offer(bundle, manifest, artifact));
        }
        return offers;
    }

    /** The model's name. */
    String model() {
        return manifest.model().name();
    }
}

package mobileq.app;

import android.content.Context;
import android.content.SharedPreferences;
import android.graphics.Bitmap;
import android.graphics.Matrix;
import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import androidx.lifecycle.ViewModel;
import androidx.lifecycle.ViewModelProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import mobileq.core.BundleException;
import mobileq.core.check.SelfCheck;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.AcceleratorFallback;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.Session;
import mobileq.core.run.Task;

/**
 * What goes on while Android makes the screen anew (of another density or language, by night): the
 * model that is loaded, and what the person picked. One bundle is at work. Of the main thread.
 */
final class MainViewModel extends ViewModel {
    /** Spares the usual one its search by reflection, which R8 would have to know of. */
    static final class Factory implements ViewModelProvider.Factory {
        @NonNull
        @Override
        public <T extends ViewModel> T create(@NonNull Class<T> wanted) {
            return Objects.requireNonNull(wanted.cast(new MainViewModel()));
        }
    }

    /**
     * The camera's picture that is held on to.
     *
     * @param picture As large as its place was.
     * @param sensorToPicture To its pixels; null where the camera does not tell.
     */
    record Still(Bitmap picture, @Nullable Matrix sensorToPicture) {}

    private List<Offer> offers;
    private BundleAssets bundle;
    private List<ModelRuntime> runtimes;
    private Task task;
    private Inference inference;
    private FrameAnalyzer analyzer;
    private Picked picked;
    private Still still;

    /**
     * The model files of all bundles.
     *
     * @param app The app's context.
     * @throws BundleException There is none, or a bundle is wrong: one sentence for the screen.
     */
    List<Offer> offers(Context app) throws BundleException {
        if (offers == null) {
            List<Offer> found = new ArrayList<>();
            for (BundleAssets each : BundleAssets.all(app.getAssets(), app.getCodeCacheDir())) {
                found.addAll(Offer.of(each, each.manifest()));
            }
            if (found.isEmpty()) {
                throw new BundleException(app.getString(R.string.empty_bundle));
            }
            offers = found;
        }
        return offers;
    }

    /** What the bundle's model is for, as long as that bundle is at work; else null. */
    @Nullable
    Task taskOf(Offer offer) {
        return offer.bundle() == bundle ? task : null;
    }

    /** Lets the bundle of this file work, in place of another one. */
    void open(Context app, Offer offer, Task newTask, SharedPreferences preferences) {
        close();
        bundle = offer.bundle();
        task = newTask;
        Manifest manifest = offer.manifest();
        runtimes = Runtimes.all(app, bundle);
        AcceleratorFallback fallback = new AcceleratorFallback(new CrashNotes(preferences));
        if (fallback.isAfterCrash()) {
            bundle.clearCompiled();
        }
        Session session = new Session(manifest, task, runtimes, fallback);
        SelfCheck check = new SelfCheck(manifest, task, bundle, new CheckNotes(app));
        inference = new Inference(session, check);
        analyzer = new FrameAnalyzer(inference);
        picked = new Picked(app, inference, () -> newTask.records(manifest.model()));
    }

    /** What model files can be loaded with. */
    List<ModelRuntime> runtimes() {
        return runtimes;
    }

    /** The model at work. */
    Inference inference() {
        return inference;
    }

    /** What takes the camera's frames. */
    FrameAnalyzer analyzer() {
        return analyzer;
    }

    /** What the person picked. */
    Picked picked() {
        return picked;
    }

    /** What is held on to while paused; null where nothing is. */
    @Nullable
    Still still() {
        return still;
    }

    void setStill(@Nullable Still newStill) {
        still = newStill;
    }

    private void close() {
        still = null;
        if (inference != null) {
            picked.leave();
            inference.close();
            inference = null;
        }
    }

    @Override
    protected void onCleared() {
        close();
    }
}

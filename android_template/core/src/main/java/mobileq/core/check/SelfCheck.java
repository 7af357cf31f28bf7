package mobileq.core.check;

import java.util.Locale;
import mobileq.core.BundleException;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.ModelSource;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Task;
import mobileq.core.run.Times;

/**
 * Whether a model says the same on an accelerator as on the CPU of the same phone: of the bundle's
 * golden frame, once for each file and accelerator. The float model's answer can't be the
 * measure of integer files; the CPU alone is held against it, where it runs a float file with the
 * model's own outputs.
 */
public final class SelfCheck {
    /** Short texts by name, that outlive the process. */
    public interface Notes {
        /**
         * Reads a note.
         *
         * @return Null where there is none of that name.
         */
        String read(String name);

        /** Writes through to the disk before it returns. */
        void write(String name, String text);
    }

    private static final String CHECKING = "checking";
    private static final String UNCHECKED = "unchecked";

    private final Manifest manifest;
    private final Task task;
    private final ModelSource bundle;
    private final Notes notes;
    private boolean isForgiving;

    /**
     * @param manifest The bundle's.
     * @param task What its files' outputs mean.
     * @param bundle Where the golden frame is.
     * @param notes What was found before, on this device by this version of the app.
     */
    public SelfCheck(Manifest manifest, Task task, ModelSource bundle, Notes notes) {
        this.manifest = manifest;
        this.task = task;
        this.bundle = bundle;
        this.notes = notes;
    }

    /** A person asks for an accelerator: it is checked again though the app ended by it. */
    public void forgive() {
        isForgiving = true;
    }

    /**
     * Checks, or remembers what was found. On the thread of the backend.
     *
     * @param artifact What runs.
     * @param accelerator On what.
     * @param backend Where it is loaded.
     * @param runtime Loads it on the CPU.
     * @param threads Of the CPU.
     * @return Null where nothing can be said: there is no golden frame, or the check failed.
     */
    public Verdict of(
            Artifact artifact,
            Accelerator accelerator,
            Backend backend,
            ModelRuntime runtime,
            int threads) {
        boolean isCpu = accelerator == Accelerator.CPU;
        if (isCpu && (!artifact.isFloat() || artifact.decode() != null)) {
            return null;
        }
        String name = accelerator + " " + artifact.sha256();
        String noted = notes.read(name);
        boolean isAgain = isForgiving && CHECKING.equals(noted);
        isForgiving = false;
        if (noted != null && !isAgain) {
            return noted.equals(UNCHECKED) ? null : new Verdict(accelerator, parsed(noted));
        }
        notes.write(name, CHECKING); // a driver may end the process
        Difference found = null;
        try {
            found = compared(artifact, accelerator, backend, runtime, threads);
        } catch (BundleException | BackendException | RuntimeException | OutOfMemoryError error) {
            // What is wrong with a file or runtime, analysing pictures tells.
        } finally {
            notes.write(name, found == null ? UNCHECKED : written(found));
        }
        return found == null ? null : new Verdict(accelerator, found);
    }

    private Difference compared(
            Artifact artifact,
            Accelerator accelerator,
            Backend backend,
            ModelRuntime runtime,
            int threads)
            throws BundleException, BackendException {
        Comparison comparison = task.comparison(manifest, artifact);
        GoldenFrame golden = comparison == null ? null : GoldenFrame.read(bundle);
        if (golden == null) {
            return null;
        }
        boolean givesPixels = runtime.givesPixels();
        Pipeline pipeline = new Pipeline(manifest, artifact, comparison.task(), givesPixels);
        Times times = new Times();
        if (accelerator == Accelerator.CPU) {
            comparison.keep(golden.wanted());
        } else {
            try (Backend cpu =
                    runtime.open(
                            artifact,
                            manifest.model().preprocess(),
                            pipeline,
                            Accelerator.CPU,
                            threads)) {
                pipeline.analyze(golden.frame(), cpu, times);
            }
            comparison.keep();
        }
        pipeline.analyze(golden.frame(), backend, times);
        return comparison.difference();
    }

    private static String written(Difference found) {
        return String.format(
                Locale.ROOT, "%d %d %.4f", found.missing(), found.added(), found.score());
    }

    /** Null of a check that never ended. */
    private static Difference parsed(String noted) {
        String[] words = noted.split(" ", -1);
        if (words.length != 3) {
            return null;
        }
        return new Difference(
                Integer.parseInt(words[0]),
                Integer.parseInt(words[1]),
                Float.parseFloat(words[2]));
    }
}

package mobileq.core.run;

import java.util.List;
import mobileq.core.BundleException;
import mobileq.core.check.SelfCheck;
import mobileq.core.check.Verdict;
import mobileq.core.image.Frame;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;

/**
 * One model file at work: opened on what was chosen or, where that fails, on the CPU; closed when
 * something else is chosen. Knows of no camera and no screen. All calls come from one thread.
 */
public final class Session implements AutoCloseable {
    private static final int WINDOW = 50;

    private final Manifest manifest;
    private final Task task;
    private final List<ModelRuntime> runtimes;
    private final AcceleratorFallback fallback;
    private final LatencyWindow latency = new LatencyWindow(WINDOW);
    private final Times times = new Times();
    private Artifact artifact;
    private Accelerator accelerator = Accelerator.CPU;
    private int threads = 1;
    private boolean isSuggested;
    private boolean isChecked;
    private Pipeline pipeline;
    private Backend backend;
    private BundleException problem;

    /**
     * @param manifest The bundle's.
     * @param task What the outputs of its files mean.
     * @param runtimes What model files can be loaded with.
     * @param fallback Decides what they run on.
     */
    public Session(
            Manifest manifest,
            Task task,
            List<ModelRuntime> runtimes,
            AcceleratorFallback fallback) {
        this.manifest = manifest;
        this.task = task;
        this.runtimes = runtimes;
        this.fallback = fallback;
    }

    /**
     * Chooses; what ran is closed, and the next frame opens what was chosen.
     *
     * @param newArtifact Of the bundle.
     * @param newAccelerator What it is to run on.
     * @param newThreads Where it runs on the CPU.
     */
    public void choose(Artifact newArtifact, Accelerator newAccelerator, int newThreads) {
        close();
        artifact = newArtifact;
        accelerator = newAccelerator;
        threads = newThreads;
        isSuggested = false;
        problem = null;
    }

    /**
     * As {@link #choose}, where nobody asked for the accelerator: the CPU is used where it is not
     * known to work.
     */
    public void suggest(Artifact newArtifact, Accelerator newAccelerator, int newThreads) {
        choose(newArtifact, newAccelerator, newThreads);
        isSuggested = true;
    }

    /** What was chosen is tried whatever happened to it before: a person asks for it. */
    public void forgive() {
        fallback.forgive();
    }

    /**
     * Analyses one frame, on the CPU where the accelerator fails at it: the answer is the task's.
     *
     * @param frame The picture.
     * @throws BundleException One sentence for the screen; the same for every further frame until
     *     something else is chosen.
     */
    public void analyze(Frame frame) throws BundleException {
        if (problem != null) {
            throw problem;
        }
        try {
            if (backend == null) {
                start();
            }
            run(frame);
        } catch (BundleException error) {
            close();
            problem = error;
            throw error;
        }
    }

    private void run(Frame frame) throws BundleException {
        while (true) {
            try {
                pipeline.analyze(frame, backend, times);
                break;
            } catch (BackendException error) {
                fallBack(error);
            }
        }
        fallback.ran();
        latency.add(times.inferenceNanos);
    }

    private void start() throws BundleException {
        ModelRuntime runtime = runtimeOf(artifact);
        pipeline = new Pipeline(manifest, artifact, task, runtime.givesPixels());
        latency.clear();
        Accelerator first = fallback.starting(accelerator, manifest.model().name() + " " + artifact.name());
        if (isSuggested && first != Accelerator.CPU && !runtime.isKnownToRun(first)) {
            fallBackFrom(new BackendException("not on the list of those that work", null));
        }
        open(runtime);
    }

    private void open(ModelRuntime runtime) throws BundleException {
        while (backend == null) {
            try {
                backend =
                        runtime.open(
                                artifact,
                                manifest.model().preprocess(),
                                pipeline,
                                fallback.actual(),
                                threads);
            } catch (BackendException error) {
                fallBackFrom(error);
            }
        }
    }

    private void fallBack(BackendException error) throws BundleException {
        closeBackend();
        fallBackFrom(error);
        latency.clear();
        open(runtimeOf(artifact));
    }

    private void fallBackFrom(BackendException error) throws BundleException {
        if (!fallback.failed(error.getMessage())) {
            throw new BundleException(
                    artifact.name() + " does not run: " + error.getMessage() + ".", error);
        }
    }

    private ModelRuntime runtimeOf(Artifact wanted) throws BundleException {
        for (ModelRuntime runtime : runtimes) {
            if (runtime.target().equals(wanted.target())) {
                return runtime;
            }
        }
        throw new BundleException("This app was made without a runtime for " + wanted.name() + ".");
    }

    /** Whether a picture came through since the model was loaded, and nobody checked it yet. */
    public boolean isToBeChecked() {
        return backend != null && !isChecked;
    }

    /**
     * Checks what runs.
     *
     * @param check Of the same bundle.
     * @return What it says; null where nothing can be said.
     * @throws BundleException Nothing runs.
     */
    public Verdict check(SelfCheck check) throws BundleException {
        isChecked = true;
        return check.of(artifact, actual(), backend, runtimeOf(artifact), threads);
    }

    /** Whether the next frame loads the model, which may take seconds. */
    public boolean isToBeOpened() {
        return backend == null && problem == null;
    }

    /** What the model runs on, whatever was chosen. */
    public Accelerator actual() {
        return fallback.actual();
    }

    /** What runs and on what, for the screen; empty as long as nothing ran. */
    public String description() {
        return backend == null ? "" : backend.description();
    }

    /** Why it is not what was chosen, for the screen; empty where it is. */
    public String fallbackReason() {
        return fallback.reason();
    }

    /** How long the latest picture took. */
    public Times times() {
        return times;
    }

    /** Durations of the latest inferences. */
    public LatencyWindow latency() {
        return latency;
    }

    @Override
    public void close() {
        closeBackend();
        pipeline = null;
        fallback.closed();
    }

    private void closeBackend() {
        if (backend != null) {
            backend.close();
            backend = null;
            isChecked = false;
        }
    }
}

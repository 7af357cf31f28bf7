package mobileq.runner;

import java.lang.reflect.InvocationTargetException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import mobileq.core.BundleException;
import mobileq.core.image.Frame;
import mobileq.core.json.Fields;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.run.Accelerator;
import mobileq.core.run.Backend;
import mobileq.core.run.BackendException;
import mobileq.core.run.ModelRuntime;
import mobileq.core.run.ModelSource;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Times;
import mobileq.core.tensor.Tensor;

/**
 * One file of a bundle, loaded on what was asked for and on nothing else: whoever asks hears of a
 * failure and decides. Of one thread, as graphics drivers want it.
 */
final class LoadedModel implements AutoCloseable {
    private final Answers answers;
    private final Pipeline pipeline;
    private final Backend backend;
    private final boolean givesPixels;
    private final long loadNanos;
    private final Frame frame = new Frame();
    private final Times times = new Times();

    /**
     * Loads a file.
     *
     * @param bundle Where it is.
     * @param request {@code artifact}, the name of a file of the bundle; {@code runtime}, the class
     *     of a {@link ModelRuntime} made of a {@link ModelSource}; {@code accelerator}; {@code
     *     threads}, 0 for one for each processor.
     * @throws BundleException The bundle or the file can't be used.
     * @throws BackendException The runtime or the accelerator failed.
     * @throws DamagedException Something was asked for that there is not.
     */
    LoadedModel(BundleFolder bundle, Fields request)
            throws BundleException, BackendException, DamagedException {
        Manifest manifest = bundle.manifest();
        Artifact artifact = named(manifest, request.text("artifact"));
        ModelRuntime runtime = runtime(request.text("runtime"), bundle);
        Accelerator accelerator = accelerator(request.text("accelerator"));
        int threads = request.integer("threads");
        answers = Answers.of(manifest, artifact);
        givesPixels = runtime.givesPixels();
        pipeline = new Pipeline(manifest, artifact, answers.task(), givesPixels);
        long start = System.nanoTime();
        backend =
                runtime.open(
                        artifact,
                        manifest.model().preprocess(),
                        pipeline,
                        accelerator,
                        threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
        loadNanos = System.nanoTime() - start;
    }

    private static Artifact named(Manifest manifest, String name) throws DamagedException {
        for (Artifact artifact : manifest.artifacts()) {
            if (artifact.name().equals(name)) {
                return artifact;
            }
        }
        throw new DamagedException("the bundle has no artifact '" + name + "'");
    }

    private static ModelRuntime runtime(String name, ModelSource models)
            throws BackendException, DamagedException {
        try {
            return Class.forName(name)
                    .asSubclass(ModelRuntime.class)
                    .getConstructor(ModelSource.class)
                    .newInstance(models);
        } catch (InvocationTargetException error) {
            throw new BackendException(name + " cannot start: " + error.getCause(), error);
        } catch (ReflectiveOperationException | ClassCastException error) {
            throw new DamagedException("this runner has no runtime '" + name + "'");
        }
    }

    private static Accelerator accelerator(String name) throws DamagedException {
        for (Accelerator each : Accelerator.values()) {
            if (each.toString().toLowerCase(Locale.ROOT).equals(name)) {
                return each;
            }
        }
        throw new DamagedException("there is no accelerator '" + name + "'");
    }

    /** What was loaded. */
    Map<String, Object> described() {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("description", backend.description());
        found.put("load_ns", loadNanos);
        found.put("takes_tensors", !givesPixels);
        found.put("memory", ProcessStatus.memory());
        return found;
    }

    /**
     * Takes a picture and analyses it.
     *
     * @param pixels {@code |u1} [height, width, 4], RGBA.
     * @param rotation Degrees clockwise that make it upright.
     */
    void analyze(Values pixels, int rotation) throws BackendException, DamagedException {
        take(pixels, rotation);
        pipeline.analyze(frame, backend, times);
    }

    private void take(Values pixels, int rotation) throws DamagedException {
        int[] shape = pixels.shape();
        boolean isPicture = pixels.dtype().equals("|u1") && shape.length == 3 && shape[2] == 4;
        if (!isPicture || shape[0] < 1 || shape[1] < 1 || rotation % 90 != 0) {
            throw new DamagedException("a frame is not of RGBA bytes, or not turned by 90 degrees");
        }
        frame.pixels = pixels.data();
        frame.describe(shape[1], shape[0], 4 * shape[1], Math.floorMod(rotation, 360));
    }

    /**
     * Analyses a picture again and again.
     *
     * @param pixels As {@link #analyze}'s.
     * @param rotation Likewise.
     * @param warmup Runs that do not count; the very first is told apart.
     * @param runs Runs that count.
     * @return Nanoseconds of each part of {@link Times}: of the first run, [3], and of all that
     *     count, [runs].
     */
    Map<String, Values> bench(Values pixels, int rotation, int warmup, int runs)
            throws BackendException, DamagedException {
        take(pixels, rotation);
        long[] first = new long[3];
        long[] preprocess = new long[runs];
        long[] inference = new long[runs];
        long[] postprocess = new long[runs];
        for (int i = -warmup; i < runs; i++) {
            pipeline.analyze(frame, backend, times);
            if (i == -warmup) {
                first = latest();
            }
            if (i >= 0) {
                preprocess[i] = times.preprocessNanos;
                inference[i] = times.inferenceNanos;
                postprocess[i] = times.postprocessNanos;
            }
        }
        Map<String, Values> arrays = new LinkedHashMap<>();
        arrays.put("first", Values.of(first));
        arrays.put("preprocess", Values.of(preprocess));
        arrays.put("inference", Values.of(inference));
        arrays.put("postprocess", Values.of(postprocess));
        return arrays;
    }

    /** Nanoseconds of the latest picture: before, in and behind the runtime. */
    long[] latest() {
        return new long[] {times.preprocessNanos, times.inferenceNanos, times.postprocessNanos};
    }

    /**
     * Runs on finished tensors.
     *
     * @param request Arrays by the inputs' names, in the file's types and order of axes; where the
     *     runtime scales pixels itself, {@code pixels}.
     * @param runs How often, at least once.
     * @return Nanoseconds of each.
     */
    long[] run(Message request, int runs) throws BackendException, DamagedException {
        for (Tensor input : pipeline.inputs()) {
            request.array(input.spec().name()).writeTo(input);
        }
        long[] nanos = new long[runs];
        for (int i = 0; i < runs; i++) {
            long start = System.nanoTime();
            backend.run(pipeline.inputs(), pipeline.outputs());
            nanos[i] = System.nanoTime() - start;
        }
        return nanos;
    }

    /** What the model gave last: arrays by the outputs' names with a prefix. */
    Map<String, Values> outputs(String prefix) {
        Map<String, Values> arrays = new LinkedHashMap<>();
        for (Tensor output : pipeline.outputs()) {
            arrays.put(prefix + output.spec().name(), Values.of(output));
        }
        return arrays;
    }

    /** What was found in the latest picture. */
    Map<String, Values> answer() {
        return answers.latest();
    }

    @Override
    public void close() {
        backend.close();
    }
}

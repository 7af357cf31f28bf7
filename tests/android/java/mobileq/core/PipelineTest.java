package mobileq.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import mobileq.core.classify.Classification;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Thresholds;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.ModelSpec;
import mobileq.core.manifest.PreprocessSpec;
import mobileq.core.manifest.TensorSpec;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.run.Pipeline;
import mobileq.core.run.Task;
import org.junit.jupiter.api.Test;

/** Refused by the app's second line, should a bundle reach it that was not refused at rendering. */
class PipelineTest {
    private static Manifest written(String name) throws Exception {
        Path path = Path.of(System.getProperty("golden"), name, Manifest.FILE_NAME);
        return Manifest.parse(new String(Files.readAllBytes(path), StandardCharsets.UTF_8));
    }

    private static String refusal(Manifest manifest, Artifact artifact, Task task) {
        return assertThrows(
                        BundleException.class, () -> new Pipeline(manifest, artifact, task))
                .getMessage();
    }

    private static Manifest with(Manifest manifest, PreprocessSpec preprocess, DecodeSpec decode) {
        ModelSpec model = manifest.model();
        return new Manifest(
                new ModelSpec(
                        model.name(),
                        model.task(),
                        model.family(),
                        model.inputs(),
                        model.outputs(),
                        preprocess,
                        decode,
                        model.classes(),
                        model.labels()),
                manifest.artifacts(),
                manifest.files());
    }

    private static Artifact with(
            Artifact artifact, List<TensorSpec> inputs, List<TensorSpec> outputs) {
        return new Artifact(
                artifact.target(),
                artifact.precision(),
                artifact.path(),
                artifact.sha256(),
                artifact.sizeBytes(),
                inputs,
                outputs,
                artifact.recipe(),
                artifact.decode(),
                artifact.notes());
    }

    @Test
    void boxesThatNobodyKnowsHowToReadAreASentence() throws Exception {
        Manifest manifest = written("yolov8-int8-0");
        Manifest mute = with(manifest, manifest.model().preprocess(), null);
        assertEquals(
                "How the outputs of golden are to be read is not in the bundle.",
                refusal(mute, mute.artifacts().get(0), new Detection(Thresholds.evaluation())));
    }

    @Test
    void aModelThatTakesNoPictureIsASentenceForEveryTask() throws Exception {
        for (Task task :
                new Task[] {new Detection(Thresholds.evaluation()), new Classification()}) {
            Manifest manifest = written("yolov8-int8-0");
            Manifest blind = with(manifest, null, manifest.model().decode());
            assertEquals(
                    "How golden wants its picture is not in the bundle.",
                    refusal(blind, blind.artifacts().get(0), task));
            Artifact one = manifest.artifacts().get(0);
            List<TensorSpec> twice = new ArrayList<>(one.inputs());
            twice.addAll(one.outputs());
            assertEquals(
                    "golden has a second input, 'output 0', which a picture alone can't feed.",
                    refusal(manifest, with(one, twice, one.outputs()), task));
        }
    }

    @Test
    void otherClassesThanTheManifestHasAreASentence() throws Exception {
        Manifest manifest = written("classes-logits-float32-0");
        Artifact artifact = manifest.artifacts().get(0);
        TensorSpec output = artifact.outputs().get(0);
        TensorSpec shorter =
                new TensorSpec(output.name(), new int[] {1, 39}, "float32", null, null, null, null);
        assertEquals(
                "golden gives 39 values where its manifest has 40 classes.",
                refusal(
                        manifest,
                        with(artifact, artifact.inputs(), List.of(shorter)),
                        new Classification()));
    }

    @Test
    void anOutputOfAHeadThatIsNotThereIsASentence() throws Exception {
        Manifest manifest = written("heads-float32-0");
        Artifact one = manifest.artifacts().get(0);
        assertEquals(
                "golden has no output 'kind'.",
                refusal(
                        manifest,
                        with(one, one.inputs(), one.outputs().subList(0, 1)),
                        new Classification()));
    }

    @Test
    void aClassifierWithoutAnOutputIsASentence() throws Exception {
        Manifest manifest = written("classes-plain-int8-0");
        Artifact one = manifest.artifacts().get(0);
        assertEquals(
                "golden has no output to read.",
                refusal(
                        manifest,
                        with(one, one.inputs(), new ArrayList<>()),
                        new Classification()));
    }
}

package mobileq.runner;

import java.util.LinkedHashMap;
import java.util.Map;
import mobileq.core.classify.Classification;
import mobileq.core.classify.TopClasses;
import mobileq.core.detect.Detection;
import mobileq.core.detect.Detections;
import mobileq.core.detect.Thresholds;
import mobileq.core.manifest.Artifact;
import mobileq.core.manifest.Manifest;
import mobileq.core.manifest.decode.DecodeSpec;
import mobileq.core.run.Task;

/** What a model finds in a picture, as the app would show it, in arrays. */
interface Answers {
    /** Reads the model's outputs. */
    Task task();

    /** The answer of the latest picture: arrays by their names. */
    Map<String, Values> latest();

    /** Those of a model; empty ones where nobody knows what its outputs mean. */
    static Answers of(Manifest manifest, Artifact artifact) {
        DecodeSpec decode = manifest.decodeOf(artifact);
        switch (manifest.model().task()) {
            case "detect":
                return decode == null ? new None() : new Boxes(decode);
            case "classify":
                return new Classes();
            default:
                return new None();
        }
    }

    /** Of any model at all. */
    final class None implements Answers {
        @Override
        public Task task() {
            return (manifest, artifact, outputs) -> (letterbox, frame) -> {};
        }

        @Override
        public Map<String, Values> latest() {
            return new LinkedHashMap<>();
        }
    }

    /** Boxes in pixels of the frame as it was sent, best first. */
    final class Boxes implements Answers {
        private final Detection detection;

        Boxes(DecodeSpec decode) {
            detection = new Detection(Thresholds.display(decode));
        }

        @Override
        public Task task() {
            return detection;
        }

        @Override
        public Map<String, Values> latest() {
            Detections found = detection.found();
            int count = found.count();
            float[] boxes = new float[4 * count];
            float[] scores = new float[count];
            int[] classIds = new int[count];
            for (int i = 0; i < count; i++) {
                boxes[4 * i] = found.left(i);
                boxes[4 * i + 1] = found.top(i);
                boxes[4 * i + 2] = found.right(i);
                boxes[4 * i + 3] = found.bottom(i);
                scores[i] = found.score(i);
                classIds[i] = found.classId(i);
            }
            Map<String, Values> arrays = new LinkedHashMap<>();
            arrays.put("boxes", Values.of(boxes, 4 * count, count, 4));
            arrays.put("scores", Values.of(scores, count, count));
            arrays.put("class_ids", Values.of(classIds));
            return arrays;
        }
    }

    /** The best classes, best first, head by head. */
    final class Classes implements Answers {
        private final Classification classification = new Classification();

        @Override
        public Task task() {
            return classification;
        }

        @Override
        public Map<String, Values> latest() {
            int count = 0;
            for (TopClasses best : classification.best()) {
                count += best.count();
            }
            float[] scores = new float[count];
            int[] classIds = new int[count];
            int at = 0;
            for (TopClasses best : classification.best()) {
                for (int rank = 0; rank < best.count(); rank++, at++) {
                    scores[at] = best.score(rank);
                    classIds[at] = best.classId(rank);
                }
            }
            Map<String, Values> arrays = new LinkedHashMap<>();
            arrays.put("scores", Values.of(scores, count, count));
            arrays.put("class_ids", Values.of(classIds));
            return arrays;
        }
    }
}

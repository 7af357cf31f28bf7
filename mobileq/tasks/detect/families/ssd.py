"""SSD with post-processing in the graph: boxes, classes, scores and their count.

As TensorFlow's Object Detection API ends its models, with `TFLite_Detection_PostProcess` or with
NonMaxSuppression: boxes [1, N, 4] as ymin, xmin, ymax, xmax in 0..1; classes and scores [1, N].
"""

from __future__ import annotations

from dataclasses import dataclass

from mobileq.spec import PreprocessSpec, TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.facts import Answer, Facts, Match
from mobileq.tasks.recognition import Questions

_COCO_CLASSES = 90
_TF_NAMES = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


@dataclass(frozen=True)
class _Outputs:
    boxes: TensorSpec
    classes: TensorSpec
    scores: TensorSpec
    count: TensorSpec


def match_ssd(facts: Facts) -> Answer:
    """Match four outputs by shape; which is classes and which scores, by the graph if there is."""
    found = _find_outputs(_named_subset(facts.outputs))
    if isinstance(found, str):
        return found
    outputs, notices = _tell_scores(facts, found)
    class_count, count_questions = facts.class_count(_COCO_CLASSES)
    about = facts.about(outputs.classes)
    from_one = about is not None and about.adds_one
    preprocess, preprocess_questions = _preprocess(facts)
    return Match(
        family="ssd",
        preprocess=preprocess,
        decode=DecodeSpec(
            kind="ssd",
            class_count=class_count + (1 if from_one else 0),
            outputs=(
                HeadOutput(name=outputs.boxes.name, role="boxes"),
                HeadOutput(name=outputs.classes.name, role="classes"),
                HeadOutput(name=outputs.scores.name, role="scores"),
                HeadOutput(name=outputs.count.name, role="count"),
            ),
            box_format="yxyx",
            box_unit="normalized",
        ),
        notices=notices,
        questions={**count_questions, **preprocess_questions},
        background_label=from_one,
    )


def _named_subset(outputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """TensorFlow 2's models have eight outputs; the four of TensorFlow 1 are among them by name."""
    named = [next((o for o in outputs if o.name.startswith(name)), None) for name in _TF_NAMES]
    chosen = tuple(output for output in named if output is not None)
    return chosen if len(outputs) > 4 and len(chosen) == 4 else outputs


def _find_outputs(outputs: tuple[TensorSpec, ...]) -> _Outputs | str:
    if len(outputs) != 4:
        return f"it has {len(outputs)} outputs; boxes, classes, scores and count are 4"
    boxes = [o for o in outputs if len(o.shape) == 3 and o.shape[2] == 4 and o.shape[0] in (1, -1)]
    count = [o for o in outputs if len(o.shape) <= 1]
    rows = [o for o in outputs if len(o.shape) == 2 and o.shape[0] in (1, -1)]
    if len(boxes) != 1 or len(count) != 1 or len(rows) != 2:
        shapes = ", ".join(str(list(o.shape)) for o in outputs)
        return f"its outputs {shapes} are not [1, N, 4], twice [1, N], and [1]"
    lengths = {boxes[0].shape[1], rows[0].shape[1], rows[1].shape[1]} - {-1}
    if len(lengths) > 1:
        return f"its boxes, classes and scores have different lengths ({sorted(lengths)})"
    return _Outputs(boxes[0], rows[0], rows[1], count[0])


def _tell_scores(facts: Facts, found: _Outputs) -> tuple[_Outputs, tuple[str, ...]]:
    """Decide which of the two [1, N] holds the scores.

    Scores are top-k values; class ids were integers. Without a graph: TensorFlow 1 orders boxes,
    classes, scores, count; TensorFlow 2's .tflite files scores, boxes, count, classes.
    """
    swapped = _Outputs(found.boxes, found.scores, found.classes, found.count)
    evidence = facts.about(found.classes), facts.about(found.scores)
    if evidence[0] is not None and evidence[1] is not None:
        marks = [(item.takes_ids, item.takes_top_k) for item in evidence if item is not None]
        ids, top_k = zip(*marks, strict=True)
        if ids[0] != ids[1]:
            return (found if ids[0] else swapped), ()
        if top_k[0] != top_k[1]:
            return (found if top_k[1] else swapped), ()
    order = [output.name for output in facts.outputs]
    scores_first = order.index(found.classes.name) < order.index(found.boxes.name)
    chosen = swapped if scores_first else found
    return chosen, (
        f"By their order, '{chosen.classes.name}' is taken for the classes and"
        f" '{chosen.scores.name}' for the scores.",
    )


def _preprocess(facts: Facts) -> tuple[PreprocessSpec, Questions]:
    if facts.picture.dtype in ("uint8", "int8"):
        return facts.preprocess("stretch"), {}
    half = (127.5, 127.5, 127.5)
    return facts.preprocess("stretch", mean=half, std=half), {
        "preprocess": "SSD models with a float input want -1..1, 0..1 or 0..255; -1..1 is assumed."
        " A --spec file can say otherwise."
    }

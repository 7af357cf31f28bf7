"""RT-DETR, D-FINE and DEIM: the best pairs of query and class, picked in the graph.

Ultralytics' RT-DETR gives rows of six, whose boxes are centre, width and height in parts of the
picture. The authors' own exports give labels, boxes and scores apart, boxes as corners in a size
that is an input (`orig_target_sizes`) until `--set` makes it a constant. Exports without a
postprocessor end at boxes and logits of all queries. DETR's look the same, but have a softmax: only
D-FINE's boxes show what they are, being means of distributions. All want the picture stretched.
Source: `export_onnx.py` and the postprocessors of lyuwenyu/RT-DETR and Peterande/D-FINE.
"""

from __future__ import annotations

from mobileq.spec import TensorSpec
from mobileq.spec.decode import BoxUnit, DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.cells import strides_of
from mobileq.tasks.detect.families.end2end import final_rows
from mobileq.tasks.detect.families.facts import Answer, Facts, Match
from mobileq.tasks.detect.families.rfdetr import boxes_and_logits, decode_of
from mobileq.tasks.recognition import shape_text

_NAMES = frozenset({"labels", "boxes", "scores"})
_INTEGERS = frozenset({"int32", "int64"})
_Triple = tuple[TensorSpec, TensorSpec, TensorSpec]


def match_rtdetr(facts: Facts) -> Answer:
    """Match rows of six whose boxes a sigmoid keeps in 0..1; labels, boxes and scores; or boxes and
    logits."""
    if len(facts.outputs) == len(_NAMES):
        return _match_apart(facts)
    if len(facts.outputs) == 2:
        return _match_queries(facts)
    output = final_rows(facts)
    if isinstance(output, str):
        return output
    about = facts.about(output)
    if not facts.forced and (about is None or not about.starts_squashed):
        return "no sigmoid keeps its boxes in 0..1"
    decode = DecodeSpec(
        kind="end2end",
        class_count=facts.class_count()[0],
        outputs=(HeadOutput(name=output.name, role="predictions"),),
        box_format="cxcywh",
        box_unit="normalized",
    )
    return _match(facts, decode)


def _match_apart(facts: Facts) -> Answer:
    found = _labels_boxes_scores(facts)
    if isinstance(found, str):
        return found
    labels, boxes, scores = found
    about = facts.about(scores)
    if not facts.forced and not _is_picked(facts, scores):
        return f"its output '{scores.name}' does not come from picking the best"
    if about is not None and about.adds_one:
        return f"its output '{labels.name}' counts from 1"
    unit = _unit(facts, boxes)
    if unit is None:
        width, height = facts.picture.width, facts.picture.height
        return (
            f"its boxes are not in pixels of the {width}x{height} picture "
            f"(--set orig_target_sizes=[{width},{height}] would make them so)"
        )
    decode = DecodeSpec(
        kind="ssd",
        class_count=facts.class_count()[0],
        outputs=(
            HeadOutput(name=boxes.name, role="boxes"),
            HeadOutput(name=labels.name, role="classes"),
            HeadOutput(name=scores.name, role="scores"),
        ),
        box_format="xyxy",
        box_unit=unit,
    )
    return _match(facts, decode)


def _match_queries(facts: Facts) -> Answer:
    found = boxes_and_logits(facts, lambda output: _has_mean(facts, output) or "box" in output.name)
    if isinstance(found, str):
        return found
    boxes, logits = found
    if not facts.forced and strides_of(facts, boxes.shape[1], 1) is not None:
        return f"its {boxes.shape[1]} boxes are of cells"
    if not facts.forced and not _has_mean(facts, boxes):
        return f"its boxes '{boxes.name}' are no means of distributions"
    preprocess = facts.preprocess("stretch", rescale_factor=1.0 / 255.0)
    return Match(family="rtdetr", preprocess=preprocess, decode=decode_of(boxes, logits))


def _has_mean(facts: Facts, output: TensorSpec) -> bool:
    about = facts.about(output)
    return about is not None and about.takes_mean


def _match(facts: Facts, decode: DecodeSpec) -> Match:
    return Match(
        family="rtdetr",
        preprocess=facts.preprocess("stretch", rescale_factor=1.0 / 255.0),
        decode=decode,
        questions=facts.class_count()[1],
    )


def _labels_boxes_scores(facts: Facts) -> _Triple | str:
    """The three outputs, or why they are not there."""
    boxes = [output for output in facts.outputs if output.shape[2:] == (4,)]
    rows = [output for output in facts.outputs if len(output.shape) == 2]
    whole = [output for output in rows if output.dtype in _INTEGERS or output.name == "labels"]
    if len(boxes) == len(whole) == 1 and len(rows) == 2:
        labels, scores = whole[0], next(row for row in rows if row is not whole[0])
        fits = labels.shape == scores.shape == boxes[0].shape[:2]
        if fits and labels.shape[0] in (1, -1):
            return labels, boxes[0], scores
    shapes = ", ".join(map(shape_text, facts.outputs))
    return f"its outputs {shapes} are not labels [1, N], boxes [1, N, 4] and scores [1, N]"


def _is_picked(facts: Facts, scores: TensorSpec) -> bool:
    about = facts.about(scores)
    if about is None:
        return {output.name for output in facts.outputs} == _NAMES
    return about.takes_top_k


def _unit(facts: Facts, boxes: TensorSpec) -> BoxUnit | None:
    """What the graph scales boxes to; None where that is neither 1 nor the picture's size."""
    about = facts.about(boxes)
    if about is None or not about.scaled_by:
        return "pixel"
    size = (float(facts.picture.width), float(facts.picture.height)) * 2
    if about.scaled_by == size:
        return "pixel"
    return "normalized" if set(about.scaled_by) == {1.0} else None

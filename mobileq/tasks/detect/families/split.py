"""YOLO-NAS, DAMO-YOLO, PP-YOLOE and YOLOv4: boxes and class scores in two outputs of cells.

Boxes [1, A, 4] are decoded in the graph; scores [1, A, C] (PP-YOLOE's [1, C, A]) have gone through
a sigmoid. How boxes are laid out is tried on the graph. Which family it is, and with it how
pictures are prepared, is told from the layout that their own exports have:

- YOLO-NAS, `NDFLHeads` and `default_yolo_nas_coco_processing_params` of Deci-AI/super-gradients:
  RGB / 255; the longest side becomes 636 of 640 pixels, and 114 is all around.
- DAMO-YOLO, `ZeroHead`, `tools/demo.py` and `config/augmentations.py` of tinyvision/DAMO-YOLO: RGB
  from 0 to 255, stretched. Distances begin in a cell's corner.
- PP-YOLOE with `-o exclude_nms=True`, `ppyoloe_head.py` and `_base_/ppyoloe_plus_reader.yml` of
  PaddlePaddle/PaddleDetection: RGB / 255, stretched with OpenCV's INTER_CUBIC; before PP-YOLOE+
  with ImageNet's mean and deviation too. The largest stride comes first.
- YOLOv4, `yolo_layer.py` and `demo.py` of Tianxiaomo/pytorch-YOLOv4: RGB / 255, stretched; three
  anchors a cell, boxes [1, A, 1, 4] in parts of the picture.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from mobileq.spec import PreprocessSpec, TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput, OutputRole
from mobileq.tasks.detect.families.cells import (
    ANCHORS_PER_CELL,
    BoxLayout,
    count_reason,
    extra_outputs_notice,
    mask_reason,
    strides_of,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_of
from mobileq.tasks.recognition import Questions, shape_text

SplitFamily = Literal["yolonas", "damoyolo", "ppyoloe", "yolov4"]

_WANTS: dict[SplitFamily, str] = {
    "yolonas": "YOLO-NAS, which wants RGB / 255 in a letterbox",
    "damoyolo": "DAMO-YOLO, which wants RGB from 0 to 255, stretched",
    "ppyoloe": "PP-YOLOE+, which wants RGB / 255, stretched; PP-YOLOE before it wants ImageNet's "
    "mean and deviation too",
    "yolov4": "YOLOv4, which wants RGB / 255, stretched",
}
_CORNER = 0.25
"""Strides from a cell's corner, under which a box's middle is meant to be there."""


class _Pair(NamedTuple):
    """The two outputs: `rows` boxes, and as many scores of `class_count` classes."""

    boxes: TensorSpec
    scores: TensorSpec
    rows: int
    class_count: int
    role: OutputRole


def match_split(facts: Facts, named: SplitFamily) -> Answer:
    """Match boxes and scores of the cells of a picture of this size, as those of the family that
    their layout tells, or of the one that somebody has named."""
    pair = _find_pair(facts)
    if isinstance(pair, str):
        return pair
    layout = _layout(facts, pair)
    reason = mask_reason(facts) or count_reason(facts, pair.class_count)
    if isinstance(layout, str) or reason:
        return reason or str(layout)
    family = named if facts.forced else _family_of(layout, pair)
    return Match(
        family=family,
        preprocess=_preprocess(facts, family),
        decode=DecodeSpec(
            kind="split",
            class_count=pair.class_count,
            outputs=(
                HeadOutput(name=pair.boxes.name, role="boxes"),
                HeadOutput(name=pair.scores.name, role=pair.role),
            ),
            strides=layout.strides,
            centre_offset=layout.centre_offset,
            box_format=layout.box_format,
            box_unit=layout.box_unit,
        ),
        notices=(
            *_untried_notice(facts, layout),
            *extra_outputs_notice(facts, pair.boxes, pair.scores),
        ),
        questions=_questions(facts, family),
    )


def _find_pair(facts: Facts) -> _Pair | str:
    """The outputs of boxes and of scores, or why there are none."""
    pairs = [
        (boxes, scores, rows, values)
        for boxes in facts.outputs
        if (rows := _others(boxes, 4)) is not None and _cells(facts, rows) is not None
        for scores in facts.outputs
        if scores is not boxes and (values := _others(scores, rows)) is not None
    ]
    if not pairs:
        shapes = ", ".join(map(shape_text, facts.outputs))
        return f"its outputs {shapes} are not boxes [1, A, 4] and scores [1, A, C] of A cells"
    told = [_Pair(*pair, role) for pair in pairs if (role := _role(facts, pair[1])) is not None]
    if not told:
        return f"its output '{pairs[0][1].name}' is neither what sigmoids give, nor bare logits"
    pair = told[0]
    if len(told) > 1:
        return f"which of '{pair.boxes.name}' and '{told[1].boxes.name}' holds boxes is unclear"
    for output in facts.outputs:  # key points, an objectness
        if output not in (pair.boxes, pair.scores) and pair.rows in output.shape:
            return f"its output '{output.name}' {shape_text(output)} is of its boxes as well"
    return pair


def _others(output: TensorSpec, known: int) -> int | None:
    """The other one of two lengths, 1 where there is one alone; None where none is `known`."""
    lengths = [length for length in output.shape if length != 1]
    if known not in lengths or len(lengths) > 2:
        return None
    lengths.remove(known)
    return lengths[0] if lengths else 1


def _cells(facts: Facts, rows: int) -> tuple[tuple[int, ...], int] | None:
    """The strides whose cells so many boxes are of, and how many each has."""
    for per_cell in ANCHORS_PER_CELL:
        strides = strides_of(facts, rows, per_cell)
        if strides is not None:
            return strides, per_cell
    return None


def _role(facts: Facts, scores: TensorSpec) -> OutputRole | None:
    """Scores where a sigmoid made them, logits where nothing did; else it is unclear."""
    about = facts.about(scores)
    if about is None or about.are_scores:
        return "class_scores"
    return "class_logits" if about.is_bare else None


def _layout(facts: Facts, pair: _Pair) -> BoxLayout | str:
    """How the boxes lie, by trial; where there is no graph, as most do."""
    width, height = facts.picture.width, facts.picture.height
    if facts.evidence is None or facts.evidence.index is None:
        strides, per_cell = _cells(facts, pair.rows) or ((), 1)
        return BoxLayout("xyxy", box_unit_of(pair.boxes), strides, per_cell)
    from mobileq.tasks.detect.families.box_trial import try_boxes

    tried = try_boxes(facts.evidence.index.model, pair.boxes.name, width, height)
    return tried or (
        f"its boxes '{pair.boxes.name}' do not lie about the cells of a {width}x{height} picture, "
        "in pixels or in parts of it"
    )


def _untried_notice(facts: Facts, layout: BoxLayout) -> tuple[str, ...]:
    if facts.evidence is not None:
        return ()
    return (
        "Boxes are taken for left, top, right and bottom, their unit for "
        f"{layout.box_unit}, and scores for what sigmoids give; [decode] of a --spec file can say "
        "otherwise.",
    )


def _family_of(layout: BoxLayout, pair: _Pair) -> SplitFamily:
    if layout.anchors_per_cell > 1:
        return "yolov4"
    if layout.offset < _CORNER:
        return "damoyolo"
    largest_first = layout.strides[0] > layout.strides[-1]
    return "ppyoloe" if largest_first or pair.scores.shape[-1] == pair.rows else "yolonas"


def _preprocess(facts: Facts, family: SplitFamily) -> PreprocessSpec:
    if family == "damoyolo":
        return facts.preprocess("stretch")
    if family == "yolonas":
        return facts.preprocess("letterbox", rescale_factor=1.0 / 255.0)
    stretched = facts.preprocess("stretch", rescale_factor=1.0 / 255.0)
    if family == "yolov4":
        return stretched
    return msgspec.structs.replace(stretched, interpolation="bicubic")


def _questions(facts: Facts, family: SplitFamily) -> Questions:
    """None where somebody has named a family that has one way, or where the model does it."""
    if facts.picture.dtype == "uint8" or (facts.forced and family != "ppyoloe"):
        return {}
    others = ", ".join(name for name in _WANTS if name != family)
    return {
        "preprocess": f"The model is taken for {_WANTS[family]}. --family {others}, or a --spec "
        "file, says otherwise."
    }

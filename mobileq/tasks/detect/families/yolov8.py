"""YOLOv8, YOLOv9, YOLO11, YOLO12 and others with Ultralytics' anchor-free head.

[1, 4 + classes, cells], or transposed: decoded boxes in pixels and class scores, no objectness.
PP-YOLOE with `-o exclude_post_process=True` gives the same rows (`ppyoloe_head.py` of
PaddlePaddle/PaddleDetection), transposed, with corners in place of centres.
"""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.anchor_free import tell_apart, uncertain_notice
from mobileq.tasks.detect.families.cells import (
    BoxLayout,
    Predictions,
    count_reason,
    extra_outputs_notice,
    find_predictions,
    last_piece_reason,
    mask_reason,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_notice, box_unit_of

_USUAL_BINS = 16
_OF_CORNERS = (
    "Its boxes are corners, as PP-YOLOE's are, which wants pictures stretched; they are "
    "letterboxed, and a --spec file can say otherwise."
)


def match_yolov8(facts: Facts) -> Answer:
    """Match one anchor per cell without an objectness; `reg_max` from the softmax of the graph."""
    found = find_predictions(facts)
    if isinstance(found, str):
        return found
    verdict = tell_apart(facts, found)
    if verdict.family != "yolov8" and not facts.forced:
        return f"it is more like {verdict.family}: {verdict.because}"
    class_count = found.channels - 4
    reason = (
        mask_reason(facts) or last_piece_reason(facts, found) or count_reason(facts, class_count)
    )
    if reason:
        return reason
    about = facts.about(found.output)
    layout = _layout(facts, found)
    return Match(
        family="yolov8",
        preprocess=facts.preprocess("letterbox", rescale_factor=1.0 / 255.0),
        decode=DecodeSpec(
            kind="yolov8",
            class_count=class_count,
            outputs=(HeadOutput(name=found.output.name, role="predictions"),),
            strides=layout.strides,
            reg_max=_USUAL_BINS if about is None else about.softmax_bins,
            centre_offset=layout.centre_offset,
            box_format=layout.box_format,
            box_unit=layout.box_unit,
        ),
        notices=(
            *uncertain_notice(verdict, facts),
            *box_unit_notice(facts, found.output),
            *extra_outputs_notice(facts, found.output),
        ),
        questions={"preprocess": _OF_CORNERS} if layout.box_format == "xyxy" else {},
    )


def _layout(facts: Facts, found: Predictions) -> BoxLayout:
    """As Ultralytics' exports have it; rows in the other order are tried."""
    usual = BoxLayout("cxcywh", box_unit_of(found.output), found.strides)
    if found.channels_first or facts.evidence is None or facts.evidence.index is None:
        return usual
    from mobileq.tasks.detect.families.box_trial import try_boxes

    model, picture = facts.evidence.index.model, facts.picture
    name, values = found.output.name, found.channels
    return try_boxes(model, name, picture.width, picture.height, values) or usual

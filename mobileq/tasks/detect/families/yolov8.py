"""YOLOv8, YOLOv9, YOLO11, YOLO12 and others with Ultralytics' anchor-free head.

[1, 4 + classes, cells], or transposed: decoded boxes in pixels and class scores, no objectness.
"""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.anchor_free import tell_apart, uncertain_notice
from mobileq.tasks.detect.families.cells import (
    count_reason,
    extra_outputs_notice,
    find_predictions,
    last_piece_reason,
    mask_reason,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_notice, box_unit_of

_USUAL_BINS = 16


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
    return Match(
        family="yolov8",
        preprocess=facts.preprocess("letterbox", rescale_factor=1.0 / 255.0),
        decode=DecodeSpec(
            kind="yolov8",
            class_count=class_count,
            outputs=(HeadOutput(name=found.output.name, role="predictions"),),
            strides=found.strides,
            reg_max=_USUAL_BINS if about is None else about.softmax_bins,
            box_unit=box_unit_of(found.output),
        ),
        notices=(
            *uncertain_notice(verdict, facts),
            *box_unit_notice(facts, found.output),
            *extra_outputs_notice(facts, found.output),
        ),
    )

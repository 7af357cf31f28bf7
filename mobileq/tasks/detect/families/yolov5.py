"""YOLOv5, and YOLOv3 and YOLOv7 which decode alike: [1, 3 * cells, 5 + classes].

Three anchors per cell; each row is a decoded box, an objectness and the class scores.
"""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.families.cells import (
    count_reason,
    extra_outputs_notice,
    find_predictions,
    last_piece_reason,
    mask_reason,
)
from mobileq.tasks.detect.families.facts import Answer, Facts, Match, box_unit_notice, box_unit_of

_ANCHORS_PER_CELL = 3


def match_yolov5(facts: Facts) -> Answer:
    """Match by three anchors per cell; anchors come from the graph's constants."""
    found = find_predictions(facts, _ANCHORS_PER_CELL)
    if isinstance(found, str):
        return _raw_reason(facts) or found
    if found.channels < 6:
        return f"{found.channels} values per anchor are too few for a box, objectness and classes"
    class_count = found.channels - 5
    reason = (
        mask_reason(facts) or last_piece_reason(facts, found) or count_reason(facts, class_count)
    )
    if reason:
        return reason
    notices = [
        *box_unit_notice(facts, found.output),
        *extra_outputs_notice(facts, found.output),
    ]
    anchors = dict(facts.evidence.anchors) if facts.evidence is not None else {}
    if facts.evidence is not None and set(anchors) != set(found.strides):
        notices.append(
            "The anchors were not found in the graph: the head can be used decoded, but not raw."
        )
        anchors = {}
    return Match(
        family="yolov5",
        preprocess=facts.preprocess("letterbox", rescale_factor=1.0 / 255.0),
        decode=DecodeSpec(
            kind="yolov5",
            class_count=class_count,
            outputs=(HeadOutput(name=found.output.name, role="predictions"),),
            strides=found.strides,
            anchors=tuple(anchors[stride] for stride in found.strides) if anchors else (),
            box_unit=box_unit_of(found.output),
        ),
        notices=tuple(notices),
    )


def _raw_reason(facts: Facts) -> str | None:
    """Exports of the training graph end in one tensor [1, 3, h, w, 5 + classes] per stride."""
    maps = [output for output in facts.outputs if len(output.shape) == 5]
    if len(maps) >= 2 and len(maps) == len(facts.outputs):
        return "its outputs are undecoded feature maps; export it without --train"
    return None

"""YOLOv8, YOLO11 and others with Ultralytics' anchor-free head: no objectness.

Source: Ultralytics' `Detect` head; box distances as in Generalized Focal Loss (Li et al., 2020).
"""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    prediction_rows,
    reaches,
    to_pixels,
    to_xyxy,
)
from mobileq.tasks.detect.decode.candidates import Candidates, scored
from mobileq.tasks.detect.decode.distances import decode_branches, read_branches
from mobileq.vision.arrays import BoolArray


def decode_yolov8(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> Candidates:
    """Boxes and scores from the model's own output or from its last convolutions.

    decoded: role "predictions", [1, 4 + C, A] or [1, A, 4 + C]: box, class scores.
    raw: per stride "box_distribution" [1, 4 * reg_max, h, w] (or "box_regression" [1, 4, h, w])
    and "class_logits" [1, C, h, w].
    """
    if spec.head == "raw":
        branches = read_branches(spec, outputs)
        return scored(
            *decode_branches(spec, branches, width, height, score_threshold, always=always)
        )
    rows = prediction_rows(spec, outputs, 4 + spec.class_count, channels_first=True)
    passing = reaches(rows[:, 4:], score_threshold)
    chosen = rows[passing]
    boxes = to_xyxy(chosen[:, :4], spec.box_format)
    return scored(to_pixels(boxes, spec, width, height), chosen[:, 4:])

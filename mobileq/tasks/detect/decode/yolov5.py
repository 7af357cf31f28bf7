"""YOLOv5 (and YOLOv3, YOLOv7, which decode alike): anchors, objectness times class score.

Source: the formulas of Ultralytics' YOLOv5 release 2.0 onwards, as in the exported graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec, OutputRole
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    branch_rows,
    check_rows,
    grid,
    logit_floor,
    own_part,
    passing_rows,
    prediction_rows,
    reaches,
    sigmoid,
    to_pixels,
    to_xyxy,
)
from mobileq.tasks.detect.decode.candidates import Candidates, scored
from mobileq.vision.arrays import BoolArray, FloatArray


def decode_yolov5(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> Candidates:
    """Boxes and scores from the model's own output or from its last convolutions.

    decoded: role "predictions", [1, A, 5 + C]: box, objectness, class scores.
    raw: per stride "predictions" [1, anchors * (5 + C), h, w], or "box_regression"
    [1, anchors * 4, h, w], "objectness_logits" [1, anchors, h, w] and "class_logits"
    [1, anchors * C, h, w]; before the sigmoid.
    """
    if spec.head == "raw":
        return _decode_raw(spec, outputs, width, height, score_threshold, always)
    rows = prediction_rows(spec, outputs, 5 + spec.class_count)
    scores = rows[:, 4:5] * rows[:, 5:]
    passing = reaches(scores, score_threshold)
    boxes = to_xyxy(rows[passing, :4], spec.box_format)
    return scored(to_pixels(boxes, spec, width, height), passing_rows(scores, passing))


def _decode_raw(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None,
) -> Candidates:
    if len(spec.anchors) != len(spec.strides) or not spec.strides:
        raise InputError(
            f"The raw yolov5 head has {len(spec.strides)} strides "
            f"but anchors for {len(spec.anchors)}.",
            "Give one list of anchors per stride.",
        )
    boxes, scores, kept, start = [], [], [], 0
    for stride, anchors in zip(spec.strides, spec.anchors, strict=True):
        head = read_stride(spec, outputs, stride, len(anchors), width, height)
        count = len(anchors) * len(head.cells)
        asked = own_part(always, start, count)
        near = (head.objectness.reshape(-1) >= logit_floor(score_threshold)) | asked
        # Of rows that are near alone a copy: those of a convolution are not in one piece.
        which, at = np.divmod(np.flatnonzero(near), len(head.cells))
        stride_scores = sigmoid(head.objectness[which, at]) * sigmoid(head.classes[which, at])
        passing = reaches(stride_scores, score_threshold) | asked[near]
        which, at = which[passing], at[passing]
        sides = np.array(anchors, np.float32)[which]
        boxes.append(_boxes(sigmoid(head.boxes[which, at]), head.cells[at], sides, stride))
        scores.append(passing_rows(stride_scores, passing))
        kept.append(np.flatnonzero(near)[passing] + start)
        start += count
    return scored(np.concatenate(boxes), np.concatenate(scores), np.concatenate(kept))


@dataclass(frozen=True, eq=False)
class StrideLogits:
    """The outputs of one stride, views, before the sigmoid.

    Attributes:
        boxes: float32 [anchors, cells, 4].
        objectness: float32 [anchors, cells, 1].
        classes: float32 [anchors, cells, C].
        cells: float32 [cells, 2], column and row.
    """

    boxes: FloatArray
    objectness: FloatArray
    classes: FloatArray
    cells: FloatArray


def read_stride(
    spec: DecodeSpec, outputs: Outputs, stride: int, anchors: int, width: int, height: int
) -> StrideLogits:
    """What one stride's outputs hold, in one tensor or in three.

    Raises:
        InputError: An output is missing or has another shape.
    """
    cells = grid(width, height, stride)

    def values(role: OutputRole, count: int) -> FloatArray:
        by_cell = branch_rows(spec, outputs, stride, role, anchors * count)
        check_rows(spec, by_cell.shape[0], cells.shape[0])
        return by_cell.reshape(-1, anchors, count).transpose(1, 0, 2)

    count = spec.class_count
    if any(output.role != "predictions" for output in spec.outputs):
        return StrideLogits(
            values("box_regression", 4),
            values("objectness_logits", 1),
            values("class_logits", count),
            cells,
        )
    joint = values("predictions", 5 + count)
    return StrideLogits(joint[:, :, :4], joint[:, :, 4:5], joint[:, :, 5:], cells)


def _boxes(activated: FloatArray, cell: FloatArray, anchor: FloatArray, stride: int) -> FloatArray:
    """`xy = (2 s - 0.5 + cell) * stride`, `wh = (2 s)^2 * anchor`, float32 in that order."""
    doubled = activated * np.float32(2)
    centre = (doubled[:, :2] - np.float32(0.5) + cell) * np.float32(stride)
    side = doubled[:, 2:] * doubled[:, 2:] * anchor
    return to_xyxy(np.concatenate([centre, side], axis=1), "cxcywh")

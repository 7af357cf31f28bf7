"""YOLOX: anchor-free, objectness times class score, `exp` for width and height.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", and `decode_outputs` of its head.
"""

from __future__ import annotations

import numpy as np

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    branch_rows,
    check_rows,
    exponential,
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


def decode_yolox(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> Candidates:
    """Boxes and scores from the model's own output or from its last convolutions.

    decoded: role "predictions", [1, A, 5 + C], sigmoids applied in the graph. With `strides`, the
    first four values still want the grid and `exp` (the usual export); without, they are boxes
    already (exported with `decode_in_inference`).
    raw: per stride "box_regression" [1, 4, h, w], "objectness_logits" [1, 1, h, w] and
    "class_logits" [1, C, h, w].
    """
    if spec.head == "raw":
        return _decode_raw(spec, outputs, width, height, score_threshold, always)
    rows = prediction_rows(spec, outputs, 5 + spec.class_count)
    scores = rows[:, 4:5] * rows[:, 5:]
    passing = reaches(scores, score_threshold)
    if not spec.strides:
        boxes = to_xyxy(rows[passing, :4], spec.box_format)
        return scored(to_pixels(boxes, spec, width, height), scores[passing])
    grids = [grid(width, height, stride) for stride in spec.strides]
    sides = [np.full((len(g), 1), s, np.float32) for g, s in zip(grids, spec.strides, strict=True)]
    cell, stride = np.concatenate(grids), np.concatenate(sides)
    check_rows(spec, rows.shape[0], cell.shape[0])
    boxes = _boxes(rows[passing, :4], cell[passing], stride[passing])
    return scored(boxes, scores[passing])


def _decode_raw(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None,
) -> Candidates:
    boxes, scores, kept, start = [], [], [], 0
    for stride in spec.strides:
        cell = grid(width, height, stride)
        box = branch_rows(spec, outputs, stride, "box_regression", 4)
        objectness = branch_rows(spec, outputs, stride, "objectness_logits", 1)
        class_logits = branch_rows(spec, outputs, stride, "class_logits", spec.class_count)
        for rows in (box, objectness, class_logits):
            check_rows(spec, rows.shape[0], cell.shape[0])
        asked = own_part(always, start, len(cell))
        near = (objectness[:, 0] >= logit_floor(score_threshold)) | asked
        stride_scores = sigmoid(objectness[near]) * sigmoid(passing_rows(class_logits, near))
        passing = reaches(stride_scores, score_threshold) | asked[near]
        side = np.full((int(passing.sum()), 1), stride, np.float32)
        boxes.append(_boxes(box[near][passing], cell[near][passing], side))
        scores.append(passing_rows(stride_scores, passing))
        kept.append(np.flatnonzero(near)[passing] + start)
        start += len(cell)
    return scored(np.concatenate(boxes), np.concatenate(scores), np.concatenate(kept))


def _boxes(raw: FloatArray, cell: FloatArray, stride: FloatArray) -> FloatArray:
    """`xy = (raw + cell) * stride`, `wh = exp(raw) * stride`."""
    centre = (raw[:, :2] + cell) * stride
    side = exponential(raw[:, 2:]) * stride
    return to_xyxy(np.concatenate([centre, side], axis=1), "cxcywh")

"""Anchor-free heads with one convolution per stride and branch: side distances, class scores.

Shared by YOLOv8 and later and by NanoDet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    as_rows,
    boxes_around,
    check_rows,
    expected_distance,
    grid,
    logit_floor,
    output_array,
    own_part,
    passing_rows,
    reaches,
    sigmoid,
    stride_output,
)
from mobileq.vision.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class StrideBranches:
    """The outputs of one stride, a row per cell.

    Attributes:
        stride: Pixels.
        class_rows: float32 [cells, C].
        are_logits: Whether `class_rows` still want the sigmoid.
        box_rows: float32 [cells, 4 * bins], logits of distributions, or [cells, 4], distances in
            strides.
    """

    stride: int
    class_rows: FloatArray
    are_logits: bool
    box_rows: FloatArray


def read_branches(spec: DecodeSpec, outputs: Outputs) -> list[StrideBranches]:
    """Per stride, an output of role "class_logits" or "class_scores" and one of role
    "box_distribution" (4 * reg_max values) or "box_regression" (4 values).

    Raises:
        InputError: An output is missing or has another shape.
    """
    branches = []
    for stride in spec.strides:
        classes = stride_output(spec, stride, ("class_logits", "class_scores"))
        boxes = stride_output(spec, stride, ("box_distribution", "box_regression"))
        values = 4 * max(spec.reg_max, 1) if boxes.role == "box_distribution" else 4
        branches.append(
            StrideBranches(
                stride=stride,
                class_rows=as_rows(
                    classes.name, output_array(outputs, classes.name), spec.class_count
                ),
                are_logits=classes.role == "class_logits",
                box_rows=as_rows(boxes.name, output_array(outputs, boxes.name), values),
            )
        )
    return branches


def decode_branches(
    spec: DecodeSpec,
    branches: Sequence[StrideBranches],
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Boxes [N, 4] in pixels, scores [N, C] and numbers of the anchors that reach the threshold,
    or are `always` wanted.

    Raises:
        InputError: A branch has more or fewer cells than its stride makes, or there are not as
            many distance bins as values of a box side.
    """
    boxes: list[FloatArray] = [np.zeros((0, 4), np.float32)]
    scores: list[FloatArray] = [np.zeros((0, spec.class_count), np.float32)]
    kept: list[IntArray] = [np.zeros(0, np.int64)]
    start, offset = 0, _centre_offset(spec)
    for branch in branches:
        cells = grid(width, height, branch.stride)
        check_rows(spec, branch.class_rows.shape[0], cells.shape[0])
        check_rows(spec, branch.box_rows.shape[0], cells.shape[0])
        passing, stride_scores = _passing_scores(
            branch, score_threshold, own_part(always, start, len(cells))
        )
        distance = _distances(spec, branch.box_rows[passing])
        centre = cells[passing] + np.float32(offset)
        side = np.full((distance.shape[0], 1), branch.stride, np.float32)
        boxes.append(boxes_around(centre, distance, side))
        scores.append(stride_scores)
        kept.append(np.flatnonzero(passing) + start)
        start += len(cells)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(kept)


def _centre_offset(spec: DecodeSpec) -> float:
    """Where in its cell a box's distances start, in strides.

    The first NanoDet (three strides) and PicoDet measure from the middle, `(x + 0.5) * stride`;
    NanoDet-Plus (a fourth stride, 64) from the corner, `x * stride`. Some ports of the first one
    take `x * stride + (stride - 1) / 2`, which costs 0.003 mAP50-95 on 128 COCO pictures.
    """
    if spec.centre_offset is not None:
        return spec.centre_offset
    return 0.0 if spec.kind == "nanodet" and len(spec.strides) > 3 else 0.5


def _distances(spec: DecodeSpec, box_rows: FloatArray) -> FloatArray:
    """Distances [N, 4] in strides, from a distribution where there is one."""
    bins = box_rows.shape[1] // 4
    return expected_distance(box_rows, bins, spec.distance_bins) if bins > 1 else box_rows


def _passing_scores(
    branch: StrideBranches, score_threshold: float, asked: BoolArray
) -> tuple[BoolArray, FloatArray]:
    """Which cells reach the threshold or are asked for (mask over all), and the scores of those."""
    rows = branch.class_rows
    if not branch.are_logits:
        passing = reaches(rows, score_threshold) | asked
        return passing, passing_rows(rows, passing)
    passing = reaches(rows, logit_floor(score_threshold)) | asked
    scores = sigmoid(passing_rows(rows, passing))
    reaching = reaches(scores, score_threshold) | asked[passing]
    passing[passing] = reaching
    return passing, passing_rows(scores, reaching)

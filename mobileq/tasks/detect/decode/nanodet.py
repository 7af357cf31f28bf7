"""NanoDet and PicoDet: anchor-free, a distance distribution per box side, no objectness.

Source: RangiLyu's NanoDet and PaddleDetection's PicoDet; distances as in Generalized Focal Loss
(Li et al., 2020).
"""

from __future__ import annotations

import numpy as np

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    branch_rows,
    check_rows,
    grid,
    prediction_rows,
)
from mobileq.tasks.detect.decode.candidates import Candidates, scored
from mobileq.tasks.detect.decode.distances import StrideBranches, decode_branches, read_branches
from mobileq.vision.arrays import BoolArray, FloatArray


def decode_nanodet(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> Candidates:
    """Boxes and scores, from one output, or from one or two per stride.

    One output: role "predictions", [1, A, C + 4 * reg_max]: class scores after the sigmoid, then
    the logits of the distance distributions.
    One per stride: the same as [1, C + 4 * reg_max, h, w] and before the sigmoid, which is what
    NanoDet's last convolutions give.
    Two per stride: "class_scores" (or "class_logits") and "box_distribution", [cells, values] or
    [1, values, h, w].
    """
    branches = read_nanodet(spec, outputs, width, height)
    return scored(*decode_branches(spec, branches, width, height, score_threshold, always))


def read_nanodet(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int
) -> list[StrideBranches]:
    """Views of the outputs, whichever of the three ways they come in.

    Raises:
        InputError: An output is missing or has another shape.
    """
    if any(output.role != "predictions" for output in spec.outputs):
        return read_branches(spec, outputs)
    if spec.head == "raw":
        return _joint_branches(spec, outputs)
    return _branches_of_one(spec, outputs, width, height)


def _joint_branches(spec: DecodeSpec, outputs: Outputs) -> list[StrideBranches]:
    branches = []
    for stride in spec.strides:
        values = spec.class_count + 4 * spec.reg_max
        rows = branch_rows(spec, outputs, stride, "predictions", values)
        branches.append(_split(spec, rows, stride, are_logits=True))
    return branches


def _branches_of_one(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int
) -> list[StrideBranches]:
    rows = prediction_rows(spec, outputs, spec.class_count + 4 * spec.reg_max)
    cells = [grid(width, height, stride).shape[0] for stride in spec.strides]
    check_rows(spec, rows.shape[0], sum(cells))
    parts = np.split(rows, np.cumsum(cells)[:-1])
    return [
        _split(spec, part, stride, are_logits=False)
        for part, stride in zip(parts, spec.strides, strict=True)
    ]


def _split(spec: DecodeSpec, rows: FloatArray, stride: int, are_logits: bool) -> StrideBranches:
    """Class values first, then the box's."""
    return StrideBranches(
        stride=stride,
        class_rows=rows[:, : spec.class_count],
        are_logits=are_logits,
        box_rows=rows[:, spec.class_count :],
    )

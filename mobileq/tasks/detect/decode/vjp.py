"""Gradients of decoded boxes and scores with respect to the output tensors.

The vector-Jacobian products of `decode`: what each value of an output changes, where the candidates
of some cells are weighted and summed. The chain rule is written out, head family by head family;
which value is where is read as `decode` does, from views of arrays of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobileq.spec.decode import BoxFormat, DecodeKind, DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    bin_weights,
    branch_rows,
    check_rows,
    exponential,
    grid,
    prediction_rows,
    sigmoid,
    to_pixels,
    to_xyxy,
)
from mobileq.tasks.detect.decode.distances import StrideBranches, read_branches
from mobileq.tasks.detect.decode.nanodet import read_nanodet
from mobileq.tasks.detect.decode.split import split_rows
from mobileq.tasks.detect.decode.yolov5 import read_stride
from mobileq.vision.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Cotangents:
    """How much the candidates of some cells count: the vector in vector-Jacobian product.

    Attributes:
        seen: bool [anchors]: which cells, n of them, in the order of the model's anchors.
        xyxy: float32 [n, 4]: weight of each side, which is in pixels.
        scores: float32 [n, C].
    """

    seen: BoolArray
    xyxy: FloatArray
    scores: FloatArray

    def part(self, start: int, count: int) -> tuple[IntArray, FloatArray, FloatArray]:
        """Which of the `count` anchors from `start` on are seen, and what these weigh."""
        before = int(np.count_nonzero(self.seen[:start]))
        at = np.flatnonzero(self.seen[start : start + count])
        own = slice(before, before + len(at))
        return at, self.xyxy[own], self.scores[own]


def decode_vjp(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int, weights: Cotangents
) -> dict[str, FloatArray]:
    """By output, in its shape: the gradient of the sum of all that `weights` weighs; 0 where a
    value is of another cell, or there is none.

    Args:
        spec: As for `decode`, of a kind whose candidates stand for cells.
        outputs: As for `decode`: the gradient is taken there.
        width: Of the model input, pixels.
        height: Of the model input, pixels.

    Raises:
        InputError: The outputs are not what `spec` describes.
    """
    gradients = {name: np.zeros(array.shape, np.float32) for name, array in outputs.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        _KINDS[spec.kind](_Head(spec, outputs, gradients, width, height), weights)
    return gradients


@dataclass(frozen=True, eq=False)
class _Head:
    spec: DecodeSpec
    outputs: Outputs
    gradients: Outputs
    width: int
    height: int

    @property
    def both(self) -> tuple[Outputs, Outputs]:
        """The outputs, and their gradients, whose views are filled in."""
        return self.outputs, self.gradients


def _yolov5(head: _Head, weights: Cotangents) -> None:
    if head.spec.head == "raw":
        _yolov5_raw(head, weights)
    else:
        _boxes_and_product(head, weights)


def _yolov5_raw(head: _Head, weights: Cotangents) -> None:
    spec, start = head.spec, 0
    for stride, anchors in zip(spec.strides, spec.anchors, strict=True):
        values, own = [
            read_stride(spec, arrays, stride, len(anchors), head.width, head.height)
            for arrays in head.both
        ]
        count = len(anchors) * len(values.cells)
        at, xyxy, scores = weights.part(start, count)
        start += count
        cell = np.divmod(at, len(values.cells))
        activated = sigmoid(values.boxes[cell])
        boxes = _of_corners(xyxy, "cxcywh")
        boxes[:, :2] *= np.float32(2 * stride)
        boxes[:, 2:] *= 8 * activated[:, 2:] * np.array(anchors, np.float32)[cell[0]]
        own.boxes[cell] = _numbers(boxes * activated * (1 - activated))
        logits = _of_logits(values.objectness[cell], values.classes[cell], scores)
        own.objectness[cell], own.classes[cell] = logits
    check_rows(spec, len(weights.seen), start)


def _yolov8(head: _Head, weights: Cotangents) -> None:
    spec = head.spec
    if spec.head == "raw":
        branches, own = [read_branches(spec, arrays) for arrays in head.both]
        _branches(spec, branches, own, weights)
        return
    rows, gradients = [
        prediction_rows(spec, arrays, 4 + spec.class_count, channels_first=True)
        for arrays in head.both
    ]
    at, xyxy, scores = weights.part(0, len(rows))
    boxes = _of_corners(to_pixels(xyxy, spec, head.width, head.height), spec.box_format)
    gradients[at] = _numbers(np.hstack([boxes, scores]))


def _nanodet(head: _Head, weights: Cotangents) -> None:
    values, gradients = [
        read_nanodet(head.spec, arrays, head.width, head.height) for arrays in head.both
    ]
    _branches(head.spec, values, gradients, weights)


def _split(head: _Head, weights: Cotangents) -> None:
    spec = head.spec
    (boxes, classes, are_logits), (own_boxes, own_classes, _) = [
        split_rows(spec, arrays) for arrays in head.both
    ]
    at, xyxy, scores = weights.part(0, len(boxes))
    if are_logits:
        activated = sigmoid(classes[at])
        scores = scores * activated * (1 - activated)
    own_classes[at] = _numbers(scores)
    pixels = to_pixels(xyxy, spec, head.width, head.height)
    own_boxes[at] = _numbers(_of_corners(pixels, spec.box_format))


def _yolox(head: _Head, weights: Cotangents) -> None:
    if head.spec.head == "raw":
        _yolox_raw(head, weights)
    elif not head.spec.strides:
        _boxes_and_product(head, weights)
    else:
        spec = head.spec
        rows, gradients = [
            prediction_rows(spec, arrays, 5 + spec.class_count) for arrays in head.both
        ]
        at, xyxy, scores = weights.part(0, len(rows))
        cells = [len(grid(head.width, head.height, stride)) for stride in spec.strides]
        strides = np.repeat(np.array(spec.strides, np.float32), cells)[at, np.newaxis]
        boxes = _of_grid(rows[at, :4], strides, xyxy)
        gradients[at] = _numbers(np.hstack([boxes, _of_product(rows[at, 4:], scores)]))


def _yolox_raw(head: _Head, weights: Cotangents) -> None:
    spec, start = head.spec, 0
    for stride in spec.strides:
        (box, objectness, classes), (own_box, own_objectness, own_classes) = [
            (
                branch_rows(spec, arrays, stride, "box_regression", 4),
                branch_rows(spec, arrays, stride, "objectness_logits", 1),
                branch_rows(spec, arrays, stride, "class_logits", spec.class_count),
            )
            for arrays in head.both
        ]
        at, xyxy, scores = weights.part(start, len(box))
        start += len(box)
        own_objectness[at], own_classes[at] = _of_logits(objectness[at], classes[at], scores)
        own_box[at] = _numbers(_of_grid(box[at], np.float32(stride), xyxy))
    check_rows(spec, len(weights.seen), start)


_KINDS: dict[DecodeKind, Callable[[_Head, Cotangents], None]] = {
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "yolox": _yolox,
    "nanodet": _nanodet,
    "picodet": _nanodet,
    "split": _split,
}


def _boxes_and_product(head: _Head, weights: Cotangents) -> None:
    """Rows of a finished box, objectness and class scores."""
    spec = head.spec
    rows, gradients = [prediction_rows(spec, arrays, 5 + spec.class_count) for arrays in head.both]
    at, xyxy, scores = weights.part(0, len(rows))
    boxes = _of_corners(to_pixels(xyxy, spec, head.width, head.height), spec.box_format)
    gradients[at] = _numbers(np.hstack([boxes, _of_product(rows[at, 4:], scores)]))


def _branches(
    spec: DecodeSpec,
    values: Sequence[StrideBranches],
    gradients: Sequence[StrideBranches],
    weights: Cotangents,
) -> None:
    start = 0
    for branch, own in zip(values, gradients, strict=True):
        at, xyxy, scores = weights.part(start, len(branch.class_rows))
        start += len(branch.class_rows)
        if branch.are_logits:
            activated = sigmoid(branch.class_rows[at])
            scores = scores * activated * (1 - activated)
        own.class_rows[at] = _numbers(scores)
        distance = xyxy * np.float32(branch.stride)
        distance[:, :2] *= -1
        own.box_rows[at] = _numbers(_of_distance(spec, branch.box_rows[at], distance))
    check_rows(spec, len(weights.seen), start)


def _of_distance(spec: DecodeSpec, rows: FloatArray, distance: FloatArray) -> FloatArray:
    """Of `expected_distance`: a bin's logit changes it by `p_k * (d_k - mean)`."""
    bins = rows.shape[1] // 4
    if bins == 1:
        return distance
    shares = bin_weights(rows, bins)
    shares /= shares.sum(axis=2, keepdims=True)
    apart = np.array(spec.distance_bins or range(bins), np.float64)
    apart = apart - (shares * apart).sum(axis=2, keepdims=True)
    found: FloatArray = (shares * apart * distance[:, :, np.newaxis]).reshape(rows.shape)
    return found


def _of_corners(xyxy: FloatArray, box_format: BoxFormat) -> FloatArray:
    """Of `to_xyxy`."""
    if box_format != "cxcywh":  # another order at most, the same there and back
        return to_xyxy(xyxy, box_format)
    first, second = xyxy[:, :2], xyxy[:, 2:]
    return np.hstack([first + second, (second - first) * np.float32(0.5)])


def _of_grid(rows: FloatArray, stride: FloatArray | np.float32, xyxy: FloatArray) -> FloatArray:
    """Of YOLOX's boxes [n, 4] before the grid, the stride and `exp`."""
    boxes = _of_corners(xyxy, "cxcywh") * stride
    boxes[:, 2:] *= exponential(rows[:, 2:])
    return boxes


def _of_product(parts: FloatArray, scores: FloatArray) -> FloatArray:
    """[n, 1 + C], of objectness times class score; `parts` are both, [n, 1 + C]."""
    objectness = (scores * parts[:, 1:]).sum(axis=1, keepdims=True)
    return np.hstack([objectness, scores * parts[:, :1]])


def _of_logits(
    objectness: FloatArray, classes: FloatArray, scores: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of the logits [n, 1] and [n, C] whose sigmoids' product the scores are."""
    activated = sigmoid(np.hstack([objectness, classes]))
    found = _numbers(_of_product(activated, scores) * activated * (1 - activated))
    return found[:, :1], found[:, 1:]


def _numbers(gradient: FloatArray) -> FloatArray:
    """Where the model's own boxes are nowhere, nothing tells how much a value counts."""
    return np.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)

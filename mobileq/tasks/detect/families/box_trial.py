"""Finds out by trial how the boxes of a graph's cells are laid out: numbers, unit, order of cells.

Boxes as corners in pixels, as centres, or in parts of the picture have the same shape. So the part
of the graph behind the last convolutions is run by itself, on one value everywhere: each box then
has its own cell about its middle, however an exporter has written the decoding down.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from mobileq.errors import MobileqError
from mobileq.graph.frontier import between, frontier
from mobileq.graph.outline import dims
from mobileq.graph.trial_run import open_run, random_inputs
from mobileq.spec.decode import BoxFormat, BoxUnit
from mobileq.tasks.detect.decode.arrays import as_rows, grid, output_array, to_xyxy
from mobileq.tasks.detect.families.cells import ANCHORS_PER_CELL, STRIDES, BoxLayout
from mobileq.vision.arrays import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

_EVERYWHERE = 0.5
"""With distances of 0, corners would look like a centre."""
_NEAR = 0.01
"""Strides by which boxes of cells may lie unlike each other."""


def try_boxes(
    model: ModelProto, name: str, width: int, height: int, values: int = 4
) -> BoxLayout | None:
    """How the boxes of the output `name` are laid out, or None where they do not lie about cells.

    Args:
        model: With static input shapes.
        name: Of an output with so many `values` a box, the first four of which are its own.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """
    boxes = _boxes_of_one_value(model, name, values)
    if boxes is None or not np.isfinite(boxes).all():
        return None
    formats: tuple[BoxFormat, ...] = ("xyxy", "cxcywh", "yxyx")
    units: tuple[BoxUnit, ...] = ("pixel", "normalized")
    orders = (*STRIDES, *(strides[::-1] for strides in STRIDES))
    for strides, per_cell in itertools.product(orders, ANCHORS_PER_CELL):
        cells = [grid(width, height, stride) for stride in strides]
        if per_cell * sum(map(len, cells)) != len(boxes):
            continue
        for box_format, unit in itertools.product(formats, units):
            side = (1, 1) if unit == "pixel" else (width, height)
            xyxy = to_xyxy(boxes, box_format) * np.array(side * 2, np.float32)
            offset = _offset(xyxy, cells, strides, per_cell)
            if offset is not None:
                return BoxLayout(box_format, unit, strides, per_cell, offset)
    return None


def _boxes_of_one_value(model: ModelProto, name: str, values: int) -> FloatArray | None:
    """[N, 4], of the first picture; None where the graph can't be cut, or does not run."""
    names = frontier(model, [name])
    try:
        tail = between(model, names, [name])
        inputs = random_inputs(tail, 0)
        for value in tail.graph.input:
            if value.name in names:
                inputs[value.name] = np.full(dims(value) or (), _EVERYWHERE, np.float32)
        array = open_run(tail)(inputs)[name].astype(np.float32)
        first = array[:1] if array.ndim > 2 else array
        return as_rows(name, output_array({name: first}, name), values)[:, :4]
    except MobileqError:
        return None


def _offset(
    xyxy: FloatArray, cells: list[FloatArray], strides: tuple[int, ...], per_cell: int
) -> float | None:
    """Where in the first stride's cells boxes [N, 4] have their middle, in strides; None where one
    has it elsewhere, or where they are not alike from cell to cell."""
    found: list[float] = []
    ends = np.cumsum([per_cell * len(cell) for cell in cells])[:-1]
    for boxes, cell, stride in zip(np.split(xyxy, ends), cells, strides, strict=True):
        # The anchors of a cell are far apart, or side by side.
        apart, beside = boxes.reshape(per_cell, -1, 4), boxes.reshape(-1, per_cell, 4)
        for rows in (apart, beside.transpose(1, 0, 2)):
            offset = _offset_of(rows / np.float32(stride), cell)
            if offset is not None:
                found.append(offset)
                break
    return found[0] if len(found) == len(cells) else None


def _offset_of(xyxy: FloatArray, cell: FloatArray) -> float | None:
    """Of boxes [anchors, cells, 4] of one stride, in strides."""
    side = xyxy[..., 2:] - xyxy[..., :2]
    middle = xyxy[..., :2] + side / 2 - cell
    offset = float(middle.mean())
    is_alike = np.ptp(middle) <= _NEAR and np.ptp(side, axis=1).max() <= _NEAR
    is_inside = -_NEAR <= offset <= 1 + _NEAR and side.min() > 0
    return offset if is_alike and is_inside else None

"""GridSample as gathers of the pixels about each place of the grid, with their weights.

A grid's -1 and 1 are the centres of the outermost pixels with align_corners, else their outer
edges; its last axis counts from the last spatial axis (ONNX operator schema, GridSample 22).
onnx2tf 2.6.9 has no cubic, no reflection, and the nearest over two axes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.sampling import Mode, Padding, Sampler

if TYPE_CHECKING:
    from onnx import NodeProto

_MODES: dict[str, Mode] = {
    "nearest": "nearest", "linear": "linear", "bilinear": "linear",
    "cubic": "cubic", "bicubic": "cubic",
}  # fmt: skip


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    mode, padding = given.get("mode", "linear"), given.get("padding_mode", "zeros")
    flat = edit.rank(node.input[0]) == 4
    if padding != "reflection" and "cubic" not in mode and (flat or mode != "nearest"):
        return "converters know it"
    return write(node, edit)


def write(node: NodeProto, edit: Editing) -> str | None:
    """Any GridSample of float32 and known shape."""
    given, (x, grid) = attributes(node), node.input
    shape, places = edit.shape(x), edit.shape(grid)
    if shape is None or places is None:
        return "the shape is not known"
    if edit.dtype(x) != np.float32 or edit.dtype(grid) != np.float32:
        return "it is not of float32"
    mode = _MODES[given.get("mode", "linear")]
    padding: Padding = given.get("padding_mode", "zeros")
    aligned = bool(given.get("align_corners", 0))
    sampler = Sampler(edit, x, shape, mode, padding, aligned)
    lengths, counts = shape[2:], places[1:-1]
    rows = edit.constant([shape[0], int(np.prod(counts)), len(lengths)], "int64")
    flat = edit.emit("Reshape", [grid, rows])
    found = sampler.sample(
        [
            _pixels(edit, flat, len(lengths) - 1 - at, length, aligned)
            for at, length in enumerate(lengths)
        ]
    )
    channels_first = edit.emit("Transpose", [found], perm=[0, 2, 1])
    whole = edit.constant([*shape[:2], *counts], "int64")
    edit.emit("Reshape", [channels_first, whole], node.output)
    return None


def _pixels(edit: Editing, grid: str, position: int, length: int, aligned: bool) -> str:
    """((g + 1) n - 1) / 2, or (g + 1) (n - 1) / 2 where the corners' centres are the ends."""
    along = edit.emit("Gather", [grid, edit.constant(position, "int64")], axis=2)
    half = (length - 1) / 2
    scaled = edit.emit("Mul", [along, edit.constant(half if aligned else length / 2, "float32")])
    return edit.emit("Add", [scaled, edit.constant(half, "float32")])


RULE = Rule("grid_sample", frozenset({"GridSample"}), _apply)

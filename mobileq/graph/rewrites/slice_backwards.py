"""Slice with negative steps: the values by their indices.

x[start:end:step] are the values at range(start, end, step), clamped as the ONNX operator schema
says: start to [0, n - 1] and end to [-1, n - 1] for a negative step. Where all axes are whole and
reversed the converters are right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[0])
    if shape is None or len(node.input) < 5:
        return "the shape is not known, or it has no steps"
    starts, ends, steps = (edit.ints(node, at, "") for at in (1, 2, 4))
    if starts is None or ends is None or steps is None:
        return "it is not constant"
    if all(step > 0 for step in steps):
        return "its steps are positive"
    axes = edit.ints(node, 3, "") or list(range(len(starts)))
    value = node.input[0]
    for start, end, step, axis in zip(starts, ends, steps, axes, strict=True):
        size = shape[positive_axis(axis, len(shape))]
        taken = range(size)[slice(start, _end(end, size, step), step)]
        if taken != range(size):
            indices = edit.constant(list(taken), "int64")
            value = edit.emit("Gather", [value, indices], axis=positive_axis(axis, len(shape)))
    edit.emit("Identity", [value], node.output)
    return None


def _end(end: int, size: int, step: int) -> int | None:
    """Python's way to say that nothing is left out before the first value."""
    return None if step < 0 and end < -size else end


RULE = Rule("slice_backwards", frozenset({"Slice"}), _apply)

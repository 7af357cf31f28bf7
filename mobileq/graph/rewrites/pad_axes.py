"""Pad with axes, and with wrapped borders: pads for every axis, and slices put around.

Axes that are not named get pads of 0. mode=wrap: the last `before` values, the values, the first
`after` ones along each axis (ONNX operator schema, Pad 18 and 19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[0])
    if shape is None or len(node.input) < 2:
        return "the shape is not known, or its pads are an attribute"
    pads = edit.value(node.input[1])
    axes = edit.ints(node, 3, "axes")
    wraps = attributes(node).get("mode") == "wrap"
    if axes is None and not wraps:
        return "it pads every axis"
    if pads is None:
        return "its pads are not constant"
    rank = len(shape)
    axes = list(range(rank)) if axes is None else [positive_axis(axis, rank) for axis in axes]
    before, after = [0] * rank, [0] * rank
    for axis, first, last in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        before[axis], after[axis] = int(first), int(last)
    if wraps:
        return _wrapped(node, edit, shape, before, after)
    named = list(node.input[:3])
    named[1] = edit.constant([*before, *after], "int64")
    mode = attributes(node).get("mode", "constant")
    edit.emit("Pad", named, node.output, mode=mode)
    return None


def _wrapped(
    node: NodeProto, edit: Editing, shape: tuple[int, ...], before: list[int], after: list[int]
) -> str | None:
    if any(not 0 <= pad <= size for pad, size in zip(before + after, shape + shape, strict=True)):
        return "it wraps more than once"
    value = node.input[0]
    padded = [axis for axis in range(len(shape)) if before[axis] or after[axis]]
    for axis in padded:
        size = shape[axis]
        taken = [*range(size - before[axis], size), *range(size), *range(after[axis])]
        indices = edit.constant(taken, "int64")
        value = edit.emit("Gather", [value, indices], axis=axis)
    edit.emit("Identity", [value], node.output)
    return None


RULE = Rule("pad_axes", frozenset({"Pad"}), _apply)

"""GroupNormalization by the mean of squared distances: v = mean((x - mean(x))^2).

The standard's own body has v = mean(x^2) - mean(x)^2 (ONNX operator schema, GroupNormalization 21),
of which rounding leaves little where the mean is large: integer files of it were noise. Until opset
20 a scale and a bias are of a group, since then of a channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_OF_CHANNELS = 21
"""The opset from which each channel has a scale and a bias."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    x, scale, bias = node.input
    given, shape, dtype = attributes(node), edit.shape(x), edit.dtype(x)
    if shape is None:
        return "the shape is not known"
    if dtype != "float32":
        return f"it is of {dtype}, which the body computes in float32"
    groups = given["num_groups"]
    grouped = edit.emit("Reshape", [x, edit.constant([shape[0], groups, -1], "int64")])
    apart = edit.emit("Sub", [grouped, _mean(edit, grouped)])
    spread = _mean(edit, edit.emit("Mul", [apart, apart]))
    epsilon = edit.constant(given.get("epsilon", 1e-5), dtype)
    deviation = edit.emit("Sqrt", [edit.emit("Add", [spread, epsilon])])
    result = edit.emit("Div", [apart, deviation])
    whole = edit.constant(shape, "int64")
    if edit.opset >= _OF_CHANNELS:
        result = edit.emit("Reshape", [result, whole])
    wide = edit.constant(
        [-1, *[1] * (len(shape) - 2 if edit.opset >= _OF_CHANNELS else 1)], "int64"
    )
    scale, bias = (edit.emit("Reshape", [name, wide]) for name in (scale, bias))
    result = edit.emit("Mul", [result, scale])
    if edit.opset >= _OF_CHANNELS:
        edit.emit("Add", [result, bias], node.output)
    else:
        edit.emit("Reshape", [edit.emit("Add", [result, bias]), whole], node.output)
    return None


def _mean(edit: Editing, name: str) -> str:
    """Over each group."""
    return edit.emit("ReduceMean", [name, edit.constant([2], "int64")], keepdims=1)


RULE = Rule("group_norm", frozenset({"GroupNormalization"}), _apply)

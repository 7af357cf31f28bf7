"""Hardmax: 1 at the first largest value along an axis, 0 elsewhere; MNN 3.6.1 has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto

_INT64 = 7
"""`TensorProto.INT64`."""
_ONE_AXIS = 13
"""The opset from which it is along one axis, not over all from there on."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape, given = edit.shape(node.input[0]), attributes(node)
    if shape is None:
        return "the shape is not known"
    axis = positive_axis(given.get("axis", -1), len(shape))
    if edit.opset < _ONE_AXIS and axis != len(shape) - 1:
        return "it is over several axes"
    largest = edit.emit("ArgMax", [node.input[0]], axis=axis, keepdims=1)
    along = [1] * len(shape)
    along[axis] = shape[axis]
    places = edit.emit(
        "Reshape",
        [edit.constant(range(shape[axis]), "int64"), edit.constant(along, "int64")],
    )
    equal = edit.emit("Equal", [edit.emit("Cast", [largest], to=_INT64), places])
    edit.emit("Cast", [equal], node.output, to=edit.elem_type(node.input[0]))
    return None


RULE = Rule("hardmax", frozenset({"Hardmax"}), _apply)

"""ArgMax and ArgMin with select_last_index: n - 1 - arg(reversed).

The last of equal values is the first one from behind; n is the length of the axis (ONNX operator
schema, ArgMax). No runtime has the attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    shape = edit.shape(node.input[0])
    if not given.get("select_last_index", 0):
        return "it takes the first index"
    if shape is None:
        return "the shape is not known"
    axis = given.get("axis", 0)
    length = shape[axis]
    backwards = edit.constant(range(length)[::-1], "int64")
    flipped = edit.emit("Gather", [node.input[0], backwards], axis=axis)
    found = edit.emit(node.op_type, [flipped], axis=axis, keepdims=given.get("keepdims", 1))
    edit.emit("Sub", [edit.constant(length - 1, "int64"), found], node.output)
    return None


RULE = Rule("last_index", frozenset({"ArgMax", "ArgMin"}), _apply)

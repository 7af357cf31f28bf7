"""ReduceMax and ReduceMin of truth values: over 0 and 1 (ONNX operator schema, ReduceMax 20)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_BOOL, _INT32 = 9, 6
"""`TensorProto.DataType`."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if edit.elem_type(node.input[0]) != _BOOL:
        return "it is of numbers"
    numbers = edit.emit("Cast", [node.input[0]], to=_INT32)
    reduced = edit.emit(node.op_type, [numbers, *node.input[1:]], **attributes(node))
    edit.emit("Cast", [reduced], node.output, to=_BOOL)
    return None


RULE = Rule("boolean_reduction", frozenset({"ReduceMax", "ReduceMin"}), _apply)

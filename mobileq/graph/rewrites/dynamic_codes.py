"""Codes of 8 bits whose scale is found anew in each run, as arithmetic.

The scale is the width of the numbers' range, 0 included, over 255, the zero-point the code of 0,
both rounded with halves to even (ONNX operator schema, DynamicQuantizeLinear 11). Of nothing but
zeros the scale would be 0; ONNX Runtime 1.26 takes 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto

_FLOAT, _UINT8, _INT32 = 1, 2, 6
"""`TensorProto.DataType`."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    x, (codes, scale, zero) = node.input[0], [*node.output, "", ""][:3]
    nothing, most = (edit.constant(each, "float32") for each in (0.0, 255.0))
    low = edit.emit("Min", [edit.emit("ReduceMin", [x], keepdims=0), nothing])
    high = edit.emit("Max", [edit.emit("ReduceMax", [x], keepdims=0), nothing])
    width = edit.emit("Div", [edit.emit("Sub", [high, low]), most])
    is_nothing = edit.emit("Cast", [edit.emit("Equal", [width, nothing])], to=_FLOAT)
    step = edit.emit("Add", [width, is_nothing], [scale] if scale else None)
    below = edit.emit("Div", [edit.emit("Sub", [nothing, low]), step])
    offset = edit.emit("Clip", [edit.emit("Round", [below]), nothing, most])
    rounded = edit.emit("Round", [edit.emit("Div", [x, step])])
    value = edit.emit("Clip", [edit.emit("Add", [rounded, offset]), nothing, most])
    for result, name in ((value, codes), (offset, zero)):
        if name:
            edit.emit("Cast", [edit.emit("Cast", [result], to=_INT32)], [name], to=_UINT8)
    return None


RULE = Rule("dynamic_codes", frozenset({"DynamicQuantizeLinear"}), _apply)

"""Pow of whole numbers: in float32, rounded (ONNX operator schema, Pow 12 and later).

The result has the base's type. Between whole numbers it is one, and what float32 makes of it is
rounded to it; with a fractional exponent the rest is cut off, as a cast does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto

_FLOAT = 1
"""`TensorProto.FLOAT`."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    base, exponent = node.input
    if edit.dtype(base).kind not in "iu":
        return "its base is no whole number"
    inputs = [edit.emit("Cast", [name], to=_FLOAT) for name in node.input]
    power = edit.emit("Pow", inputs)
    if edit.dtype(exponent).kind in "iu":
        power = edit.emit("Round", [power])
    edit.emit("Cast", [power], node.output, to=edit.elem_type(base))
    return None


RULE = Rule("whole_power", frozenset({"Pow"}), _apply)

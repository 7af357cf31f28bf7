"""Mod with fmod: a - b * trunc(a / b), whose sign is the dividend's.

trunc(q) = sign(q) * floor(|q|) for floats; a division of integers truncates (ONNX operator schema,
Mod, after C's fmod). Converters know the modulo whose sign is the divisor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if not attributes(node).get("fmod", 0):
        return "its sign is the divisor's"
    dividend, divisor = node.input
    quotient = edit.emit("Div", [dividend, divisor])
    if edit.dtype(dividend).kind == "f":
        sign = edit.emit("Sign", [quotient])
        whole = edit.emit("Floor", [edit.emit("Abs", [quotient])])
        quotient = edit.emit("Mul", [sign, whole])
    edit.emit("Sub", [dividend, edit.emit("Mul", [quotient, divisor])], node.output)
    return None


RULE = Rule("fractional_mod", frozenset({"Mod"}), _apply)

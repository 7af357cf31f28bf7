"""Gelu by tanh: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).

LiteRT 2.1.2 computes it by erf whatever the file says, which is 5e-4 off (ONNX operator schema,
Gelu 20, approximate="tanh").
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if attributes(node).get("approximate", "none") != "tanh":
        return "it is exact"
    (x,) = node.input

    def number(value: float) -> str:
        return edit.constant(value, "float32")

    cubed = edit.emit("Mul", [edit.emit("Mul", [x, x]), x])
    inner = edit.emit("Add", [x, edit.emit("Mul", [cubed, number(0.044715)])])
    tanh = edit.emit("Tanh", [edit.emit("Mul", [inner, number(math.sqrt(2 / math.pi))])])
    half = edit.emit("Mul", [x, number(0.5)])
    edit.emit("Mul", [half, edit.emit("Add", [tanh, number(1.0)])], node.output)
    return None


RULE = Rule("gelu_tanh", frozenset({"Gelu"}), _apply)

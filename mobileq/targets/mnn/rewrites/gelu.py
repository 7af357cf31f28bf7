"""Gelu: h + h erf(x / sqrt(2)) with h = x / 2; MNN 3.6.1 writes it with a tanh, 5e-4 off.

In this order, since MNN makes its own of x (1 + erf(x / sqrt(2))) / 2 too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if attributes(node).get("approximate", "none") != "none":
        return "it is by tanh"
    dtype = edit.dtype(node.input[0])
    half = edit.emit("Mul", [node.input[0], edit.constant(0.5, dtype)])
    scaled = edit.emit("Mul", [node.input[0], edit.constant(0.5**0.5, dtype)])
    share = edit.emit("Mul", [half, edit.emit("Erf", [scaled])])
    edit.emit("Add", [half, share], node.output)
    return None


RULE = Rule("gelu", frozenset({"Gelu"}), _apply)

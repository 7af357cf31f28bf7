"""Elu with an alpha other than 1: relu(x) + alpha * elu1(min(x, 0)).

TFLite's ELU has no alpha (LiteRT 2.1.2), and onnx2tf 2.6.9 drops the attribute without a word.
elu1(x) = exp(x) - 1 below 0, and min(x, 0) is 0 above (ONNX operator schema, Elu).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import attribute
from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    alpha = attribute(node, "alpha")
    if alpha is None or alpha.f == 1.0:
        return "its alpha is 1"
    (source,) = node.input
    zero = edit.constant(0.0, "float32")
    below = edit.emit("Elu", [edit.emit("Min", [source, zero])])
    scaled = edit.emit("Mul", [below, edit.constant(alpha.f, "float32")])
    edit.emit("Add", [edit.emit("Relu", [source]), scaled], node.output)
    return None


RULE = Rule("elu_alpha", frozenset({"Elu"}), _apply)

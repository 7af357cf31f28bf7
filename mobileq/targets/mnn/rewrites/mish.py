"""Mish: x tanh(log(1 + exp(x))); MNN 3.6.1 has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    share = edit.emit("Tanh", [edit.emit("Softplus", [node.input[0]])])
    edit.emit("Mul", [node.input[0], share], node.output)
    return None


RULE = Rule("mish", frozenset({"Mish"}), _apply)

"""Mean of n tensors: (a + b + ...) / n; MNN 3.6.1 leaves part of it unwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    total = node.input[0]
    for each in node.input[1:]:
        total = edit.emit("Add", [total, each])
    count = edit.constant(len(node.input), edit.dtype(node.input[0]))
    edit.emit("Div", [total, count], node.output)
    return None


RULE = Rule("mean", frozenset({"Mean"}), _apply)

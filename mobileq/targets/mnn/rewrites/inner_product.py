"""The product of two vectors: the sum of x y. MNN 3.6.1 crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if any(edit.rank(name) != 1 for name in node.input):
        return "it is not of two vectors"
    product = edit.emit("Mul", list(node.input))
    edit.emit("Identity", [edit.summed(product, [0], keepdims=False)], node.output)
    return None


RULE = Rule("inner_product", frozenset({"MatMul"}), _apply)

"""Gemm with transA: a Transpose before it. MNN 3.6.1 does not heed the attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = dict(attributes(node))
    if not given.pop("transA", 0):
        return "it does not transpose its first input"
    turned = edit.emit("Transpose", [node.input[0]], perm=[1, 0])
    edit.emit("Gemm", [turned, *node.input[1:]], node.output, **given)
    return None


RULE = Rule("gemm_transpose", frozenset({"Gemm"}), _apply)

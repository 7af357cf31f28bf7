"""LpNormalization with p = 1: x / sum(|x|) along the axis (ONNX operator schema)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    if given.get("p", 2) != 1:
        return "its p is 2"
    (source,) = node.input
    rank = edit.rank(source)
    if rank is None:
        return "the rank is not known"
    size = edit.emit("Abs", [source])
    total = edit.summed(size, [given.get("axis", -1) % rank])
    edit.emit("Div", [source, total], node.output)
    return None


RULE = Rule("absolute_norm", frozenset({"LpNormalization"}), _apply)

"""Less(a, b) = Greater(b, a): MNN 3.6.1 on x86 gets 12 of 60 Less wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    edit.emit("Greater", [node.input[1], node.input[0]], node.output)
    return None


RULE = Rule("less", frozenset({"Less"}), _apply)

"""MaxPool of bytes: of floats, which hold them all; MNN 3.6.1 takes bytes for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    kind = edit.dtype(node.input[0])
    if kind.kind == "f" or kind.itemsize > 1 or len(node.output) > 1:
        return "it is not of bytes, or gives indices too"
    found = edit.emit("MaxPool", [edit.emit("Cast", [node.input[0]], to=1)], **attributes(node))
    edit.emit("Cast", [found], node.output, to=edit.elem_type(node.input[0]))
    return None


RULE = Rule("whole_pools", frozenset({"MaxPool"}), _apply)

"""The kernel of a Conv over three axes is said where it is left out: MNN 3.6.1 gives nothing there.

Its last axis comes out with a length of 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[1])
    if attributes(node).get("kernel_shape") or shape is None or len(shape) != 5:
        return "its kernel is said, or it is over fewer axes"
    edit.copy(node, kernel_shape=list(shape[2:]))
    return None


RULE = Rule("kernel_shape", frozenset({"Conv"}), _apply)

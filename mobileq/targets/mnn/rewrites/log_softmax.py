"""LogSoftmax's axis is the last where it is left out (1 before opset 13).

MNN 3.6.1 takes no axis at all then: it gives other numbers, or crashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_LAST_AXIS = 13


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if "axis" in attributes(node):
        return "it has an axis"
    edit.copy(node, axis=-1 if edit.opset >= _LAST_AXIS else 1)
    return None


RULE = Rule("log_softmax", frozenset({"LogSoftmax"}), _apply)

"""The axis that an operator takes where none is given.

Hardmax's is the last (1 before opset 13), that of gathering and scattering elements the first (ONNX
operator schemas). onnx2tf 2.6.9 takes others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_FIRST = frozenset({"GatherElements", "Scatter", "ScatterElements"})
_LAST_AXIS = 13


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if "axis" in attributes(node):
        return "it has an axis"
    default = 0 if node.op_type in _FIRST else -1
    if default and edit.opset < _LAST_AXIS:
        default = 1
    edit.copy(node, axis=default)
    return None


RULE = Rule("explicit_axis", _FIRST | {"Hardmax"}, _apply)

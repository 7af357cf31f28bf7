"""What is asked of an optional value that is a plain tensor, or was left out.

A tensor has an element, which it is itself; what is left out has none (ONNX operator schemas,
OptionalHasElement and OptionalGetElement 18). No runtime on a phone has optional values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    source = next(iter(node.input), "")
    if source and not edit.elem_type(source):
        return "it is of an optional or a sequence"
    if node.op_type == "OptionalGetElement":
        edit.emit("Identity", [source], node.output)
    else:
        edit.emit("Identity", [edit.constant(bool(source), "bool")], node.output)
    return None


RULE = Rule("optional", frozenset({"OptionalGetElement", "OptionalHasElement"}), _apply)

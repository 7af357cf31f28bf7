"""Shrink: x + bias below -lambd, x - bias above lambd, 0 between (ONNX operator schema).

MNN 3.6.1 writes it with Less, which is wrong on x86.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, dtype = attributes(node), edit.dtype(node.input[0])
    limit, bias = given.get("lambd", 0.5), given.get("bias", 0.0)
    low, high, offset, zero = (edit.constant(each, dtype) for each in (-limit, limit, bias, 0))
    above = edit.emit("Greater", [node.input[0], high])
    reduced = edit.emit("Sub", [node.input[0], offset])
    upper = edit.emit("Where", [above, reduced, zero])
    below = edit.emit("Greater", [low, node.input[0]])
    raised = edit.emit("Add", [node.input[0], offset])
    edit.emit("Where", [below, raised, upper], node.output)
    return None


RULE = Rule("shrink", frozenset({"Shrink"}), _apply)

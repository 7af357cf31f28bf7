"""Round takes halves to the even neighbour, where MNN 3.6.1 takes them away from zero.

With f = floor(x): f + 1 where x - f is above a half, or is a half and f is odd; else f.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    dtype = edit.dtype(node.input[0])
    half, zero = edit.constant(0.5, dtype), edit.constant(0.0, dtype)
    floor = edit.emit("Floor", [node.input[0]])
    rest = edit.emit("Sub", [node.input[0], floor])
    halved = edit.emit("Mul", [floor, half])
    odd = edit.emit("Greater", [edit.emit("Sub", [halved, edit.emit("Floor", [halved])]), zero])
    tie = edit.emit("And", [edit.emit("Equal", [rest, half]), odd])
    up = edit.emit("Or", [edit.emit("Greater", [rest, half]), tie])
    step = edit.emit("Cast", [up], to=edit.elem_type(node.input[0]) or 1)
    edit.emit("Add", [floor, step], node.output)
    return None


RULE = Rule("half_even", frozenset({"Round"}), _apply)

"""IsInf: beyond the largest float; IsNaN: neither at least 0 nor at most 0. MNN 3.6.1 has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_LARGEST = float(np.finfo(np.float32).max)


def _apply(node: NodeProto, edit: Editing) -> str | None:
    (x,), given = node.input, attributes(node)
    if edit.dtype(x).kind != "f":
        return "it is not of floats"
    value = edit.emit("Cast", [x], to=1)
    if node.op_type == "IsNaN":
        zero = edit.constant(0.0, "float32")
        sides = [edit.emit("GreaterOrEqual", pair) for pair in ([value, zero], [zero, value])]
        edit.emit("Not", [edit.emit("Or", sides)], node.output)
        return None
    largest, lowest = (edit.constant(sign * _LARGEST, "float32") for sign in (1.0, -1.0))
    above, below = given.get("detect_positive", 1), given.get("detect_negative", 1)
    if above and below:
        edit.emit("Greater", [edit.emit("Abs", [value]), largest], node.output)
    elif above:
        edit.emit("Greater", [value, largest], node.output)
    elif below:
        edit.emit("Greater", [lowest, value], node.output)
    else:
        edit.emit("Greater", [edit.emit("Sub", [value, value]), largest], node.output)
    return None


RULE = Rule("not_numbers", frozenset({"IsInf", "IsNaN"}), _apply)

"""Clip, Max or Min by limits that leave zero out, moved so that zero is one: clip(x - a) + a.

XNNPACK (LiteRT 2.1.2) makes constant limits part of the op before them, and cannot prepare a
convolution or a pooling then whose limits leave zero out. Exact but for the rounding of x - a,
where x is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto

_WINDOWED = (
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Gemm",
    "MatMul",
)


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if edit.dtype(node.output[0]) != np.float32:
        return "it is not of float32"
    source, low, high = _limits(node, edit)
    if source is None:
        return "its limits are not known"
    if edit.made_by(source) not in _WINDOWED:
        return "no convolution and no pooling gives what is limited"
    edge = low if low is not None and low > 0 else high if high is not None and high < 0 else None
    if edge is None:
        return "zero is within its limits"
    by = edit.constant(edge, "float32")
    limits = ["" if each is None else edit.constant(each - edge, "float32") for each in (low, high)]
    moved = edit.emit("Clip", [edit.emit("Sub", [source, by]), *limits])
    edit.emit("Add", [moved, by], node.output)
    return None


def _limits(node: NodeProto, edit: Editing) -> tuple[str | None, float | None, float | None]:
    """What is limited, and to what; nothing where that is not known."""
    if node.op_type == "Clip":
        values = [_scalar(name, edit) if name else None for name in node.input[1:]]
        given = [bool(name) for name in node.input[1:]]
        if any(there and value is None for there, value in zip(given, values, strict=True)):
            return None, None, None
        low, high = [*values, None, None][:2]
        return node.input[0], low, high
    if len(node.input) == 2:
        for source, other in (node.input, tuple(reversed(node.input))):
            value = _scalar(other, edit)
            if value is not None:
                return (source, value, None) if node.op_type == "Max" else (source, None, value)
    return None, None, None


def _scalar(name: str, edit: Editing) -> float | None:
    value = edit.value(name)
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None


RULE = Rule("limits_beside_zero", frozenset({"Clip", "Max", "Min"}), _apply)

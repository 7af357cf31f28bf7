"""Indices of GatherElements and ScatterElements that count from the end: i + n for i below 0.

MNN 3.6.1 gives zeros for them, or writes nothing. LiteRT 2.1.2 stops at those of GatherElements:
whoever feeds a model may give them, what a graph computes hardly ever is below 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    import numpy as np

    shape, indices = edit.shape(node.input[0]), node.input[1]
    if indices.startswith(_MADE):
        return "it is done"
    if shape is None:
        return "the shape is not known"
    count = shape[attributes(node).get("axis", 0)]
    known, dtype = edit.value(indices), edit.dtype(indices)
    if known is not None:
        values = known.astype(np.int64)
        if not (values < 0).any():
            return "none is below 0"
        positive = edit.constant(np.where(values < 0, values + count, values), dtype)
    else:
        zero, added = edit.constant(0, dtype), edit.constant(count, dtype)
        below = edit.emit("Cast", [edit.emit("Greater", [zero, indices])],
                          to=edit.elem_type(indices))  # fmt: skip
        positive = edit.emit("Add", [indices, edit.emit("Mul", [below, added])], hint=_HINT)
    inputs = [node.input[0], positive, *node.input[2:]]
    edit.emit(node.op_type, inputs, node.output, **attributes(node))
    return None


_HINT = "positive"
_MADE = f"rewritten/{_HINT}"


def _given(node: NodeProto, edit: Editing) -> str | None:
    if edit.made_by(node.input[1]) is not None:
        return "the graph computes them"
    return _apply(node, edit)


RULE = Rule("given_indices", frozenset({"GatherElements"}), _given)
ALL = Rule("positive_indices", frozenset({"GatherElements", "ScatterElements"}), _apply)
"""For MNN."""

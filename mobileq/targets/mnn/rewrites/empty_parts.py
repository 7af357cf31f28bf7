"""Concat and Split of parts of length 0: without them; MNN 3.6.1 then reads what nobody wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    return (_concat if node.op_type == "Concat" else _split)(node, edit)


def _concat(node: NodeProto, edit: Editing) -> str | None:
    filled = [name for name in node.input if not _is_empty(edit, name)]
    if len(filled) == len(node.input) or not filled:
        return "no part is empty, or all are"
    edit.emit("Concat", filled, node.output, axis=attributes(node)["axis"])
    return None


def _split(node: NodeProto, edit: Editing) -> str | None:
    sizes, shape = edit.ints(node, 1, "split"), edit.shape(node.input[0])
    if not sizes or shape is None or 0 not in sizes or not any(sizes):
        return "no part is empty, or all are"
    if len(node.input) < 2:
        return "its sizes are an attribute"
    axis = attributes(node).get("axis", 0)
    filled = [name for name, size in zip(node.output, sizes, strict=True) if size]
    kept = edit.constant([size for size in sizes if size], "int64")
    if len(filled) == 1:
        edit.emit("Identity", [node.input[0]], filled)
    else:
        edit.emit("Split", [node.input[0], kept], filled, axis=axis)
    void = [*shape]
    void[axis] = 0
    for name, size in zip(node.output, sizes, strict=True):
        if not size and name:
            empty = edit.constant(np.zeros(void), edit.dtype(node.input[0]))
            edit.emit("Identity", [empty], [name])
    return None


def _is_empty(edit: Editing, name: str) -> bool:
    value = edit.value(name)
    return value is not None and value.size == 0


RULE = Rule("empty_parts", frozenset({"Concat", "Split"}), _apply)

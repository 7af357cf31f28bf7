"""Dropout gives what it takes, and a mask of all, except in training with a ratio above 0.

MNN 3.6.1 gives memory that nobody wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    ratio, training = ([*node.input, "", ""][at] for at in (1, 2))
    if training and not (_is_zero(edit, training) or (ratio and _is_zero(edit, ratio))):
        return "it may be training"
    mask = node.output[1] if len(node.output) > 1 else ""
    shape = edit.shape(node.input[0])
    if mask and shape is None:
        return "the shape is not known"
    edit.emit("Identity", [node.input[0]], node.output[:1])
    if mask:
        edit.emit("Identity", [edit.constant(np.ones(shape or ()), "bool")], [mask])
    return None


def _is_zero(edit: Editing, name: str) -> bool:
    value = edit.value(name)
    return value is not None and not value.any()


RULE = Rule("dropout", frozenset({"Dropout"}), _apply)

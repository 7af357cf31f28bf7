"""MaxUnpool: values put at their indices into a tensor of zeros.

Their shape, where none is given, is (n - 1) * stride + kernel - pads along each axis (ONNX operator
schema, MaxUnpool 11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if len(node.input) > 2 and node.input[2]:
        return "its indices are of a tensor of another shape"
    shape = edit.shape(node.output[0])
    if shape is None:
        return "the shape is not known"
    flat = edit.constant([-1], "int64")
    value, indices = (edit.emit("Reshape", [name, flat]) for name in node.input[:2])
    empty = edit.constant(np.zeros(int(np.prod(shape))), edit.dtype(node.input[0]))
    found = edit.emit("ScatterElements", [empty, indices, value], axis=0)
    edit.emit("Reshape", [found, edit.constant(shape, "int64")], node.output)
    return None


RULE = Rule("max_unpool", frozenset({"MaxUnpool"}), _apply)

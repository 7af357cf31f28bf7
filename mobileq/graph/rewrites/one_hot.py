"""OneHot: where(indices == 0 .. depth - 1, on, off).

Negative indices count from the end; what lies outside is no class, and equals none (ONNX operator
schema, OneHot 11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    indices, depth_name, values = node.input
    depth, rank = edit.value(depth_name), edit.rank(indices)
    if depth is None or rank is None:
        return "its depth is not constant"
    count = int(depth.reshape(-1)[0])
    axis = positive_axis(attributes(node).get("axis", -1), rank + 1)
    kind, whole = edit.dtype(indices), indices
    if kind.kind != "f":
        kind, whole = np.dtype("int64"), edit.emit("Cast", [indices], to=_INT64)
    below = edit.emit("Less", [whole, edit.constant(0, kind)])
    shifted = edit.emit("Add", [whole, edit.constant(count, kind)])
    positive = edit.emit("Where", [below, shifted, whole])
    wide = edit.unsqueezed(positive, [axis])
    along = [1] * (rank + 1)
    along[axis] = count
    classes = edit.constant([*range(count)], kind)
    shape = edit.constant(along, "int64")
    equal = edit.emit("Equal", [wide, edit.emit("Reshape", [classes, shape])])
    off, on = (edit.emit("Gather", [values, edit.constant([at], "int64")], axis=0) for at in (0, 1))
    edit.emit("Where", [equal, on, off], node.output)
    return None


_INT64 = 7
"""`TensorProto.INT64`."""

RULE = Rule("one_hot", frozenset({"OneHot"}), _apply)

"""ScatterND and ScatterElements that add, multiply, or take the larger or smaller one.

One update after the other: what lies there is gathered, taken together with the update and put
back, so that places that come twice count twice (ONNX operator schemas, ScatterND 18 and
ScatterElements 18). onnx2tf 2.6.9 refuses most, MNN 3.6.1 takes no notice of the reduction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto

_COMBINE = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}
_MOST_UPDATES = 64


def _apply(node: NodeProto, edit: Editing) -> str | None:
    combine = _COMBINE.get(attributes(node).get("reduction", "none"))
    shape, spread = edit.shape(node.input[0]), edit.shape(node.input[1])
    if combine is None:
        return "it replaces what lies there"
    if shape is None or spread is None:
        return "the shape is not known"
    if node.op_type == "ScatterND":
        return _slices(node, edit, combine, shape, spread)
    return _elements(node, edit, combine, shape, spread)


def _slices(
    node: NodeProto, edit: Editing, combine: str, shape: tuple[int, ...], spread: tuple[int, ...]
) -> str | None:
    """Each update is a slice of x."""
    data, indices, updates = node.input
    count, depth = int(np.prod(spread[:-1])), spread[-1]
    if not 0 < count <= _MOST_UPDATES:
        return f"it has more than {_MOST_UPDATES} updates"
    indices = edit.emit("Reshape", [indices, edit.constant([count, depth], "int64")])
    updates = edit.emit("Reshape", [updates, edit.constant([count, *shape[depth:]], "int64")])
    for at in range(count):
        place, update = (edit.sliced(name, 0, at, at + 1) for name in (indices, updates))
        found = edit.emit("GatherND", [data, place])
        changed = edit.emit(combine, [found, update])
        data = edit.emit("ScatterND", [data, place, changed])
    edit.emit("Identity", [data], node.output)
    return None


def _elements(
    node: NodeProto, edit: Editing, combine: str, shape: tuple[int, ...], spread: tuple[int, ...]
) -> str | None:
    """Updates at the same place along the axis go to places of their own, all at once."""
    data, indices, updates = node.input
    axis = positive_axis(attributes(node).get("axis", 0), len(shape))
    count = spread[axis]
    if not 0 < count <= _MOST_UPDATES:
        return f"it has more than {_MOST_UPDATES} updates along its axis"
    if any(n != m for at, (n, m) in enumerate(zip(shape, spread, strict=True)) if at != axis):
        return "its indices don't span the other axes"
    for at in range(count):
        place, update = (edit.sliced(name, axis, at, at + 1) for name in (indices, updates))
        found = edit.emit("GatherElements", [data, place], axis=axis)
        changed = edit.emit(combine, [found, update])
        data = edit.emit("ScatterElements", [data, place, changed], axis=axis)
    edit.emit("Identity", [data], node.output)
    return None


RULE = Rule("scatter_reduction", frozenset({"ScatterND", "ScatterElements"}), _apply)

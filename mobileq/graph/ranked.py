"""Finds the outputs whose rows a graph has ranked: in another runtime two close ones may swap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.op_facts import ORDERING
from mobileq.graph.outline import all_graphs, dims

if TYPE_CHECKING:
    from onnx import ModelProto

_ANY = -1
"""Of a dimension that only a run tells."""


def ranked_outputs(model: ModelProto) -> dict[str, int]:
    """Output name -> its axis of ranked rows.

    An output behind TopK or NonMaxSuppression, that has an axis as long as what these gave. Behind
    a TopK that only pools there is none.

    Args:
        model: With inferred shapes.
    """
    lengths: dict[str, frozenset[int]] = {}
    shapes = {
        value.name: dims(value)
        for graph in all_graphs(model)
        for value in (*graph.value_info, *graph.output)
    }
    for node in model.graph.node:
        found = frozenset[int]().union(*(lengths.get(name, ()) for name in node.input))
        if node.op_type in ORDERING:
            shape = shapes.get(node.output[0])
            found |= {max(shape) if shape and node.op_type == "TopK" else _ANY}
        if found:
            lengths.update(dict.fromkeys(node.output, found))
    axes: dict[str, int] = {}
    for value in model.graph.output:
        known, shape = lengths.get(value.name), dims(value)
        if known and shape:
            fitting = [
                axis for axis, length in enumerate(shape) if length > 1 and length in known
            ] or [axis for axis, length in enumerate(shape) if length > 1 and _ANY in known]
            if fitting:
                axes[value.name] = fitting[0]
    return axes

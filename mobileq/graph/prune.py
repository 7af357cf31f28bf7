"""Drop what nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import needed_nodes

if TYPE_CHECKING:
    from onnx import GraphProto


def prune(graph: GraphProto) -> None:
    """Drop the nodes and constants that no output needs."""
    outputs = {value.name for value in graph.output}
    nodes, read = needed_nodes(graph.node, outputs)
    made = {name for node in nodes for name in node.output if name}
    kept = read | outputs
    # In place: constants may be hundreds of megabytes.
    for at in reversed(range(len(graph.node))):
        if made.isdisjoint(graph.node[at].output):
            del graph.node[at]
    for at in reversed(range(len(graph.initializer))):
        if graph.initializer[at].name not in kept:
            del graph.initializer[at]

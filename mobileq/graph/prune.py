"""Drop what nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import subgraphs

if TYPE_CHECKING:
    from onnx import GraphProto


def prune(graph: GraphProto) -> None:
    """Drop the nodes and constants that no output needs."""
    needed = {value.name for value in graph.output}
    for at in reversed(range(len(graph.node))):
        node = graph.node[at]
        if needed.isdisjoint(node.output):
            del graph.node[at]
            continue
        for reader in (node, *(each for body in subgraphs([node]) for each in body.node)):
            needed.update(reader.input)
    for at in reversed(range(len(graph.initializer))):
        if graph.initializer[at].name not in needed:
            del graph.initializer[at]

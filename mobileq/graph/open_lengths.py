"""Nodes that give as much as an input of the model says, which no file with fixed shapes can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.errors import UnsupportedOperatorError
from mobileq.graph.outline import graph_inputs, node_label

if TYPE_CHECKING:
    from onnx import ModelProto

_DECIDING = {
    "Range": (0, 1, 2), "ConstantOfShape": (0,), "Expand": (1,), "Reshape": (1,), "Tile": (1,),
    "BlackmanWindow": (0,), "HammingWindow": (0,), "HannWindow": (0,),
}  # fmt: skip
"""{operator: positions of what says how much it gives} (ONNX operator schemas)."""


def refuse_open_lengths(model: ModelProto) -> None:
    """Raises UnsupportedOperatorError where an input decides how much a node gives, whatever shape
    the model declares."""
    sources = {value.name: value.name for value in graph_inputs(model)}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in sources:
            sources[node.output[0]] = sources[node.input[0]]
        for at in _DECIDING.get(node.op_type, ()):
            name = sources.get(node.input[at]) if at < len(node.input) else None
            if name is not None:
                raise UnsupportedOperatorError(
                    f"How much {node.op_type} ({node_label(node)}) gives is decided by the input "
                    f"{name!r}.",
                    f"Make the input a constant: --set {name}=VALUE.",
                )

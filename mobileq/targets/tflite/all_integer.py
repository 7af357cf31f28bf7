"""What keeps a file from being all integer, told by the ONNX model's ops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import node_label
from mobileq.targets.tflite import contents
from mobileq.targets.tflite.correspondence import (
    REPORT_SUFFIX,
    Range,
    read_correspondence,
    without_scale,
)
from mobileq.targets.tflite.flatbuffer import read_model
from mobileq.targets.tflite.op_facts import MOVING

if TYPE_CHECKING:
    from onnx import NodeProto

_EDGES = ("QUANTIZE", "DEQUANTIZE")
_NEVER_FIRST = {*_EDGES, *MOVING}
"""What only moves values is in float because of its neighbours."""


def float_reason(model: Any, base: Path, source: Path, known: Mapping[str, Range]) -> str | None:
    """Half a sentence on the first op that is in float; None where none is.

    Args:
        model: The quantized file (a schema `ModelT`).
        base: The float file that it was made of, its correspondence beside it.
        source: The ONNX model's file.
        known: Ranges of tensors of `base`.
    """
    made_from = read_model(base)
    graph = made_from.subgraphs[0]
    nodes = _nodes(source, base, made_from)
    floats = _on_floats(model)
    names = [contents.tensor_name(tensor) for tensor in graph.tensors]
    unfit, why = without_scale(made_from, known), None
    kind = ""
    for op in graph.operators:
        given, op_name = (
            [names[int(index)] for index in op.outputs],
            contents.op_name(made_from, op),
        )
        if not kind and op_name not in _NEVER_FIRST and not floats.isdisjoint(given):
            kind = op_name
            why = next((unfit[name] for name in given if name in unfit), None)
        # onnx2tf writes what it makes of a node in one piece, which ends with what the node gives.
        node = next((nodes[name] for name in given if name in nodes), None)
        if kind and node is not None:
            what = f"{kind}, a part of {node.op_type} ({node_label(node)})"
            if why is not None:
                return f"{what}, {why}"
            return f"mobileq has no integers for {what}"
    return f"{kind} is in float" if kind else None


def _on_floats(model: Any) -> set[str]:
    """What the ops give that take or give floats; a comparison of floats gives none."""
    graph = model.subgraphs[0]
    tensors = graph.tensors
    return {
        contents.tensor_name(tensors[int(given)])
        for op in graph.operators
        if contents.op_name(model, op) not in _EDGES
        and any(_is_float(tensors[int(i)]) for i in (*op.inputs, *op.outputs) if int(i) >= 0)
        for given in op.outputs
    }


def _is_float(tensor: Any) -> bool:
    return contents.dtype_name(tensor).startswith("float")


def _nodes(source: Path, base: Path, made_from: Any) -> Mapping[str, NodeProto]:
    """The ONNX model's nodes, by the TFLite tensor that has what they give."""
    import onnx

    graph = onnx.load(source, load_external_data=False).graph
    nodes = {name: node for node in graph.node for name in node.output}
    takers = {node.name: node.input[0] for node in graph.node if node.name and node.input}
    names = read_correspondence(base.with_suffix(REPORT_SUFFIX), made_from, nodes, takers)
    return {names[name]: node for name, node in nodes.items() if name in names}

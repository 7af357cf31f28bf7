"""Keeps convolutions in float that ONNX Runtime would make integers of.

One with float weights between a DequantizeLinear and a QuantizeLinear it takes for a quantized one
whose weights were forgotten: it rounds them to 8 bits with one scale for all channels
(WeightBiasQuantization, 1.26). Efficientnet-lite0, whose sensitive convolutions stand alone among
integers, had 22.5 dB for 25.8. It leaves alone what takes a tensor with a scale for each channel:
these get the same scale as often as there are channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import attribute, constants, producers
from mobileq.graph.pair_parameters import DEQUANTIZE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

_TAKEN = ("Conv", "ConvTranspose", "Gemm")
_CHANNELS = 1


def keep_floats(model: ModelProto) -> None:
    """In place: what takes codes as floats, by float weights, takes them channel by channel."""
    from onnx import helper, numpy_helper

    graph, values, makers = model.graph, constants(model.graph), producers(model.graph)
    nodes: list[NodeProto] = []
    made: set[str] = set()
    for node in graph.node:
        pair = makers.get(node.input[0]) if node.op_type in _TAKEN else None
        weights = values.get(node.input[1]) if node.op_type in _TAKEN else None
        if pair is not None and pair.op_type == DEQUANTIZE and weights is not None:
            name = f"{node.input[0]}/by channel"
            node.input[0] = name
            if name not in made:
                made.add(name)
                taken = [pair.input[0], f"{name}/scale", f"{name}/zero_point"]
                for source, wide in zip(pair.input[1:], taken[1:], strict=True):
                    each = values[source].repeat(_channel_count(node, weights))
                    graph.initializer.append(numpy_helper.from_array(each, wide))
                nodes.append(helper.make_node(DEQUANTIZE, taken, [name], name, axis=_CHANNELS))
        nodes.append(node)
    if made:
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)


def _channel_count(node: NodeProto, weights: NDArray[np.generic]) -> int:
    """Of what the node takes."""
    if node.op_type == "Gemm":
        transposed = attribute(node, "transB")
        return weights.shape[_CHANNELS if transposed is not None and transposed.i else 0]
    if node.op_type == "ConvTranspose":
        return weights.shape[0]
    group = attribute(node, "group")
    return weights.shape[1] * (group.i if group is not None else 1)

"""Writes the batch normalizations that no convolution takes in as convolutions of their own.

What stands behind a convolution is part of it after simplification. Others, beside a convolution
or behind a sum (FastViT, RepVGG, DenseNet), become a product and a sum in a .tflite file, with a
tensor between them that the ONNX model does not have and no calibration has a range for. A
depthwise convolution by one value has a scale for each channel, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import attribute, constants, dims

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

_EPSILON = 1e-5


def as_depthwise(model: ModelProto) -> ModelProto:
    """A copy in which each 4-D BatchNormalization by constants is a depthwise 1x1 Conv; the model
    itself where there is none.

    scale * (x - mean) / sqrt(var + epsilon) + bias = factor * x + term, with
    factor = scale / sqrt(var + epsilon) and term = bias - factor * mean.

    Args:
        model: With inferred shapes.
    """
    from onnx import ModelProto

    if not any(node.op_type == "BatchNormalization" for node in model.graph.node):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    known, nodes = constants(graph), []
    values = (*graph.value_info, *graph.input, *graph.output)
    ranks = {value.name: len(dims(value) or ()) for value in values}
    for node in graph.node:
        if _is_plain(node, known) and ranks.get(node.input[0]) == 4:
            node, weights = _depthwise(node, known)
            graph.initializer.extend(weights)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {each.name for each in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return copy


def _is_plain(node: NodeProto, known: Mapping[str, NDArray[Any]]) -> bool:
    if node.op_type != "BatchNormalization" or len([name for name in node.output if name]) != 1:
        return False
    return all(name in known and known[name].dtype == "float32" for name in node.input[1:])


def _depthwise(
    node: NodeProto, known: Mapping[str, NDArray[Any]]
) -> tuple[NodeProto, list[TensorProto]]:
    import numpy as np
    from onnx import helper, numpy_helper

    scale, bias, mean, variance = (known[name].astype(np.float64) for name in node.input[1:5])
    stated = attribute(node, "epsilon")
    factor = scale / np.sqrt(variance + (stated.f if stated is not None else _EPSILON))
    term = bias - factor * mean
    (result,) = (name for name in node.output if name)
    names = [f"{result}/factor", f"{result}/term"]
    weights = [
        numpy_helper.from_array(factor.astype(np.float32).reshape(-1, 1, 1, 1), names[0]),
        numpy_helper.from_array(term.astype(np.float32), names[1]),
    ]
    made = helper.make_node(
        "Conv", [node.input[0], *names], [result], node.name, group=len(factor), kernel_shape=[1, 1]
    )
    return made, weights

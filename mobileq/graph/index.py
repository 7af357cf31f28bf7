"""An index of a whole graph, for walking backwards from its outputs to its last convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import attribute, constants, dims, dtype_name, producers
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto

_CONVOLUTIONS = WEIGHTY - {"MatMul"}
"""A matrix product is one of two activations as often."""
_EXPECTATIONS = frozenset({"Conv", "Gemm", "MatMul", "Mul"})
_CARRYING = frozenset({"Transpose", "Reshape", "QuantizeLinear", "DequantizeLinear"})
"""What may stand between a distribution and its mean; behind a Flatten the product is over all
places, as in a classifier that pools by attention."""


class GraphIndex:
    """The main graph of a model: nodes, their makers, constants, shapes and dtypes. `model` is a
    copy with inferred shapes.

    Shapes have -1 for unknown dimensions; a tensor of unknown rank is missing.
    """

    def __init__(self, model: ModelProto) -> None:
        self.model = infer_shapes(model)
        graph = self.model.graph
        self.nodes = list(graph.node)
        self.made_by = producers(graph)
        self.constants = constants(graph)
        self.shapes: dict[str, tuple[int, ...]] = {
            name: value.shape for name, value in self.constants.items()
        }
        self.dtypes: dict[str, str] = {}
        for value in chain(graph.input, graph.value_info, graph.output):
            shape = dims(value)
            if shape is not None:
                self.shapes[value.name] = shape
            self.dtypes[value.name] = dtype_name(value.type.tensor_type.elem_type)

    def is_convolution(self, node: NodeProto) -> bool:
        """Whether the node has learnt weights, so that a walk backwards ends at it."""
        return node.op_type in _CONVOLUTIONS and self.expectation_weights(node) is None

    def expectation_weights(self, node: NodeProto) -> npt.NDArray[np.generic] | None:
        """The distances of the bins, if the node takes the mean of a distribution behind a softmax.

        A 1x1 convolution to one channel (DFL), a product with a vector, or a multiplication before
        a sum. The weights are 0, 1, 2 ..., but no longer exactly so after a quantization.
        """
        if node.op_type not in _EXPECTATIONS or len(node.input) < 2:
            return None
        weights = self.constant_value(node.input[1])
        given = node.input[0]
        if weights is None and node.op_type == "Mul":
            weights, given = self.constant_value(node.input[0]), node.input[1]
        if weights is None or weights.size < 2 or weights.size != max(weights.shape):
            return None
        if node.op_type == "Conv" and (weights.ndim != 4 or weights.size != weights.shape[1]):
            return None
        return weights.reshape(-1) if is_distribution(self.made_by, given) else None

    def constant_value(self, name: str) -> npt.NDArray[np.generic] | None:
        """A constant, or one that is stored as integers with a scale beside it."""
        if name in self.constants:
            return self.constants[name]
        node = self.made_by.get(name)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        stored = [self.constants.get(item) for item in node.input if item]
        if any(item is None for item in stored):
            return None
        return _dequantized(node, [item for item in stored if item is not None])

    def nodes_behind(self, name: str) -> list[NodeProto]:
        """All nodes that `name` is computed by, up to and without the convolutions."""
        found: list[NodeProto] = []
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            tensor = waiting.pop()
            node = self.made_by.get(tensor)
            if tensor in seen or node is None or self.is_convolution(node):
                continue
            seen.add(tensor)
            if node.op_type != "Constant":
                found.append(node)
                waiting.extend(node.input)
        return found


def is_distribution(made_by: Mapping[str, NodeProto], name: str) -> bool:
    """Whether a tensor is what a softmax gives, or several side by side do."""
    before = made_by.get(name)
    while before is not None and before.op_type in _CARRYING:
        before = made_by.get(before.input[0])
    if before is not None and before.op_type == "Concat":
        return all(is_distribution(made_by, part) for part in before.input)
    return before is not None and before.op_type == "Softmax"


def _dequantized(
    node: NodeProto, stored: list[npt.NDArray[np.generic]]
) -> npt.NDArray[np.generic] | None:
    """`(values - zero_point) * scale` of a DequantizeLinear per tensor or per index of an axis."""
    import numpy as np

    values, scale = stored[0].astype(np.float32), stored[1].astype(np.float32)
    zero_point = np.zeros_like(scale) if len(stored) < 3 else stored[2].astype(np.float32)
    if scale.size > 1:
        axis = attribute(node, "axis")
        along = [1] * values.ndim
        if scale.ndim != 1 or values.ndim == 0:
            return None
        along[1 if axis is None else axis.i] = -1
        scale, zero_point = scale.reshape(along), zero_point.reshape(along)
    dequantized: npt.NDArray[np.generic] = (values - zero_point) * scale
    return dequantized

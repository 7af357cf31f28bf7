"""An index of a graph for walking backwards from its outputs to its last convolutions."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from mobileq.graph.outline import constants, dims, dtype_name, producers
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "Gemm"})


class Tail:
    """The main graph of a model: nodes, their makers, constants, shapes and dtypes.

    Shapes have -1 for unknown dimensions; a tensor of unknown rank is missing.
    """

    def __init__(self, model: ModelProto) -> None:
        graph = infer_shapes(model).graph
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
        """Whether the node has learnt weights, so that the tail ends before it."""
        return node.op_type in _CONVOLUTIONS and not self._is_expectation(node)

    def _is_expectation(self, node: NodeProto) -> bool:
        """The 1x1 convolution that takes the mean of a distribution: one channel out, behind a
        softmax (DFL). Its weights are 0, 1, 2 ..., but no longer exactly so after a quantization.
        """
        weights = self.constants.get(node.input[1]) if node.op_type == "Conv" else None
        if weights is None or weights.ndim != 4 or weights.size != weights.shape[1]:
            return False
        before = self.made_by.get(node.input[0])
        while before is not None and before.op_type in ("Transpose", "Reshape"):
            before = self.made_by.get(before.input[0])
        return before is not None and before.op_type == "Softmax"

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

"""Outputs of a graph that are of the channels of its tensors [N, C, H, W]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobileq.graph.outline import opset

if TYPE_CHECKING:
    from onnx import ModelProto

_AXES: Final = "mobileq/axes"
_ALL_BUT_CHANNELS: Final = [0, 2, 3]
_AXES_ARE_INPUT: Final = 18
"""The opset since which reductions take their axes as an input."""


class ChannelReductions:
    """Adds them to a model, which gives nothing else then."""

    def __init__(self, model: ModelProto) -> None:
        import numpy as np
        from onnx import numpy_helper

        self._graph, self._opset = model.graph, opset(model)
        del self._graph.output[:]
        axes = numpy_helper.from_array(np.array(_ALL_BUT_CHANNELS, np.int64), _AXES)
        self._graph.initializer.append(axes)

    def add(self, reduction: str, tensor: str, name: str) -> None:
        """An output [C]; `reduction` is the op: "ReduceMax"."""
        from onnx import TensorProto, helper

        if self._opset >= _AXES_ARE_INPUT:
            node = helper.make_node(reduction, [tensor, _AXES], [name], keepdims=0)
        else:
            axes = _ALL_BUT_CHANNELS
            node = helper.make_node(reduction, [tensor], [name], axes=axes, keepdims=0)
        self._graph.node.append(node)
        self._graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

"""Outputs of a graph that are of its tensors' channels, or of other parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mobileq.graph.outline import opset

if TYPE_CHECKING:
    from onnx import ModelProto

ALL_BUT_CHANNELS: Final = (0, 2, 3)
"""Axes of [N, C, H, W]."""
_AXES_ARE_INPUT: Final = {"ReduceSum": 13}
"""The opset since which a reduction takes its axes as an input, the others 18."""


class Reductions:
    """Adds them to a model, behind the outputs that it has."""

    def __init__(self, model: ModelProto) -> None:
        self._graph, self._opset = model.graph, opset(model)
        self._axes: dict[tuple[int, ...], str] = {}

    def add(
        self, reduction: str, tensor: str, name: str, axes: Sequence[int] = ALL_BUT_CHANNELS
    ) -> None:
        """An output without these axes; `reduction` is the op: "ReduceMax"."""
        from onnx import TensorProto, helper

        if self._opset >= _AXES_ARE_INPUT.get(reduction, 18):
            inputs = [tensor, self._constant(tuple(axes))]
            node = helper.make_node(reduction, inputs, [name], keepdims=0)
        else:
            node = helper.make_node(reduction, [tensor], [name], axes=list(axes), keepdims=0)
        self._graph.node.append(node)
        self._graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    def _constant(self, axes: tuple[int, ...]) -> str:
        import numpy as np
        from onnx import numpy_helper

        if axes not in self._axes:
            name = self._axes[axes] = f"mobileq/axes {' '.join(map(str, axes))}"
            tensor = numpy_helper.from_array(np.array(axes, np.int64), name)
            self._graph.initializer.append(tensor)
        return self._axes[axes]

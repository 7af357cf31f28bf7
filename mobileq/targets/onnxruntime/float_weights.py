"""Weights of ops that stay float in an int8 file, stored small.

What widens them depends on no input: ONNX Runtime does it once, when it loads the file, and the op
runs as with float32 weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.graph.eight_bits import LARGEST_WEIGHT, channel_axis
from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import constants
from mobileq.targets.onnxruntime.float16 import is_held

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

_FLOAT = 1
_LARGE = 100
"""Of a hundredth of all weights on they have 8 bits, as in .mnn files; others half precision."""
_SMALL = 64
"""Values that are not worth a node."""


def store_small(model: ModelProto) -> None:
    """In place: float32 weights of convolutions and products, in 8 bits or in half precision."""
    graph, values = model.graph, constants(model.graph)
    total = sum(array.size for array in values.values())
    stored = {tensor.name for tensor in graph.initializer}
    widened: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        name = node.input[1] if node.op_type in WEIGHTY else ""
        if name in widened or name not in stored or values[name].dtype != "float32":
            continue
        if values[name].size * _LARGE >= total:
            axis = channel_axis(node, values[name].ndim)
            widened[name] = _from_codes(model, name, values[name], axis)
        elif values[name].size >= _SMALL and is_held(values[name]):
            widened[name] = _from_half(model, name, values[name])
    for at in reversed(range(len(graph.initializer))):
        if graph.initializer[at].name in widened:
            del graph.initializer[at]
    nodes = [*(each for made in widened.values() for each in made), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _from_codes(model: ModelProto, name: str, weights: NDArray[Any], axis: int) -> list[NodeProto]:
    import numpy as np
    from onnx import helper

    others = tuple(at for at in range(weights.ndim) if at != axis)
    scale = np.abs(weights).max(axis=others, keepdims=True) / np.float32(LARGEST_WEIGHT)
    scale[scale == 0.0] = 1.0
    codes = _stored(model, f"{name}/codes", np.rint(weights / scale).astype(np.int8))
    steps = _stored(model, f"{name}/steps", scale.astype(np.float32))
    return [
        helper.make_node("Cast", [codes], [f"{name}/whole"], f"{name}/widen", to=_FLOAT),
        helper.make_node("Mul", [f"{name}/whole", steps], [name], f"{name}/scale"),
    ]


def _from_half(model: ModelProto, name: str, weights: NDArray[Any]) -> list[NodeProto]:
    import numpy as np
    from onnx import helper

    half = _stored(model, f"{name}/half", weights.astype(np.float16))
    return [helper.make_node("Cast", [half], [name], f"{name}/widen", to=_FLOAT)]


def _stored(model: ModelProto, name: str, array: NDArray[Any]) -> str:
    from onnx import numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(array, name))
    return name

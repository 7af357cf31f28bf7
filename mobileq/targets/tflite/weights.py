"""Scales of weights: those that an ONNX model came with, and those that biases need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.graph.eight_bits import LARGEST_WEIGHT, channel_axis, given_scale, holding_bias
from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import constants
from mobileq.spec import QuantParams
from mobileq.targets.tflite import contents

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto

    Array = npt.NDArray[np.generic]

WeightScales = tuple[int, tuple[float, ...]]
"""(axis, the scale of each index along it)."""

_FILE_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""Op -> the axis of its weights, always its second input, that counts the output channels."""


def weight_scales(
    onnx_model: ModelProto, given: Mapping[str, QuantParams], file_model: Any
) -> dict[str, WeightScales]:
    """{file tensor: its scales}, for the weights that hold what the ONNX model's do.

    They are told by their values: the file's names and axes are others, the order of output
    channels is the same. Weights that a converter changed on the way are left out.

    Args:
        onnx_model: The float model that the file was made of.
        given: By the names of its constants.
        file_model: The float file (a schema `ModelT`).
    """
    known = dict(_onnx_weights(onnx_model, given))
    found: dict[str, WeightScales] = {}
    for op, axis, value in _file_weights(file_model):
        name = _input_name(file_model, op, 1)
        scale = known.get(_fingerprint(value, axis))
        if scale is not None:
            found[name] = axis, scale
    return found


def bias_scales(
    file_model: Any, ranges: Mapping[str, tuple[float, float]], bits: int = 8
) -> dict[str, WeightScales]:
    """{file tensor: its scales}, for weights some of whose channels need a larger one for the bias.

    Where they are too small for the bias (see `holding_bias`), ai-edge-quantizer 0.5.1 cuts it off:
    a class scores 0.5 instead of 0.01 everywhere.

    Args:
        file_model: The float file (a schema `ModelT`).
        ranges: (min, max) of its activations,
        bits: and of what number of bits they are.
    """
    import numpy as np

    found: dict[str, WeightScales] = {}
    for op, axis, value in _file_weights(file_model):
        bias = _bias(file_model, op)
        source = ranges.get(_input_name(file_model, op, 0))
        if bias is None or source is None or len(bias) != value.shape[axis]:
            continue
        step = (max(source[1], 0.0) - min(source[0], 0.0)) / (2**bits - 1)
        others = tuple(at for at in range(value.ndim) if at != axis)
        scale = np.abs(value).max(axis=others).astype(np.float64) / LARGEST_WEIGHT
        larger = holding_bias(scale, bias, step)
        if (scale < larger).any():
            found[_input_name(file_model, op, 1)] = axis, tuple(larger.tolist())
    return found


def _onnx_weights(
    model: ModelProto, given: Mapping[str, QuantParams]
) -> Iterator[tuple[bytes, tuple[float, ...]]]:

    stored = constants(model.graph)
    for node in model.graph.node:
        name = node.input[1] if node.op_type in WEIGHTY else ""
        if name not in given or name not in stored:
            continue
        value = stored[name]
        axis = channel_axis(node, value.ndim)
        scale = given_scale(value, axis, given[name])
        if scale is not None:
            yield _fingerprint(value, axis), tuple(float(each) for each in scale)


def _file_weights(model: Any) -> Iterator[tuple[Any, int, Array]]:
    """(op, the axis that counts output channels, weights) of each op with float weights."""

    graph = model.subgraphs[0]
    for op in graph.operators:
        axis = _FILE_AXES.get(contents.op_name(model, op))
        if axis is None or len(op.inputs) < 2 or op.inputs[1] < 0:
            continue
        value = contents.float32_values(model, graph.tensors[op.inputs[1]])
        if value is not None:
            yield op, axis, value


def _bias(model: Any, op: Any) -> Array | None:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return None
    return contents.float32_values(model, model.subgraphs[0].tensors[op.inputs[2]])


def _input_name(model: Any, op: Any, position: int) -> str:
    return contents.tensor_name(model.subgraphs[0].tensors[op.inputs[position]])


def _fingerprint(value: Array, axis: int) -> bytes:
    """The same for two arrays whose channels hold the same values, in whatever order inside."""
    import numpy as np

    rows = np.moveaxis(np.asarray(value, "<f4"), axis, 0)
    rows = np.sort(rows.reshape(rows.shape[0], -1), axis=1)
    return np.array(rows.shape).tobytes() + rows.tobytes()

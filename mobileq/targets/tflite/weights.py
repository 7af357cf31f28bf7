"""Scales of weights: those that an ONNX model came with, and those that biases need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import attribute, constants
from mobileq.spec import QuantParams
from mobileq.targets.tflite import contents

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto

    Array = npt.NDArray[np.generic]

WeightScales = tuple[int, tuple[float, ...]]
"""(axis, the scale of each index along it)."""

_FILE_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""Op -> the axis of its weights, always its second input, that counts the output channels."""
LARGEST_WEIGHT = 127
_LARGEST_BIAS = 2**30
"""Leaves room for the sum that it is added to."""
_LARGEST_CODE = 128
"""What lies beyond can't be held. -128 itself becomes -127, which is one step: kernels are free to
rely on -127..127."""


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

    A bias is an int32 in steps of the input's scale times the weights'. For a channel that is
    pruned or dead (weights of nothing, a bias of something: a class that was never trained) these
    are so small that the bias does not fit, and ai-edge-quantizer 0.5.1 cuts it off: a class
    scores 0.5 instead of 0.01 everywhere.

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
        needed = np.abs(bias).astype(np.float64) / max(step * _LARGEST_BIAS, 1e-30)
        if (scale < needed).any():
            name = _input_name(file_model, op, 1)
            found[name] = axis, tuple(np.maximum(scale, needed).tolist())
    return found


def _onnx_weights(
    model: ModelProto, given: Mapping[str, QuantParams]
) -> Iterator[tuple[bytes, tuple[float, ...]]]:
    import numpy as np

    stored = constants(model.graph)
    for node in model.graph.node:
        if len(node.input) < 2 or node.input[1] not in given or node.input[1] not in stored:
            continue
        value, parameters = stored[node.input[1]], given[node.input[1]]
        axis = _channel_axis(node, value.ndim)
        if axis is None or parameters.axis not in (None, axis):
            continue
        scale = np.broadcast_to(np.array(parameters.scale), (value.shape[axis],))
        shaped = scale.reshape([-1 if at == axis else 1 for at in range(value.ndim)])
        if np.abs(np.round(value / shaped)).max(initial=0.0) <= _LARGEST_CODE:
            yield _fingerprint(value, axis), tuple(float(each) for each in scale)


def _channel_axis(node: NodeProto, rank: int) -> int | None:
    """The axis of the weights that counts output channels; None for other operators."""
    if node.op_type == "Gemm":
        transposed = attribute(node, "transB")
        return 0 if transposed is not None and transposed.i else 1
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": rank - 1}.get(node.op_type)


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

"""What is constant about the pairs of a quantized model: scales, zero-points, weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mobileq.errors import InputError
from mobileq.graph.outline import attribute, constants, subgraphs
from mobileq.graph.prune import prune
from mobileq.spec import QuantParams

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import GraphProto, ModelProto, NodeProto

    Array = npt.NDArray[Any]

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
PAIR = frozenset({QUANTIZE, DEQUANTIZE})


def constant_names(graph: GraphProto) -> set[str]:
    """Tensors that depend on no input."""
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        fixed = all(name in names for name in node.input if name) if node.input else False
        if node.op_type == "Constant" or (fixed and not list(subgraphs([node]))):
            names.update(node.output)
    return names


def constant_values(model: ModelProto) -> dict[str, Array]:
    """The constants, and what of the pairs' scales and results follows from them.

    ONNX Runtime, the reference, computes it: it knows every type that weights come in, also those
    of 4 bits and blocks.
    """
    from onnx import ModelProto, helper

    from mobileq.graph.trial_run import run

    graph = model.graph
    values: dict[str, Array] = dict(constants(graph))
    fixed = constant_names(graph)
    wanted: set[str] = set()
    for node in graph.node:
        if node.op_type in PAIR:
            wanted.update(node.input[1:])
        if node.op_type == DEQUANTIZE:
            wanted.update(node.output)
    wanted = (wanted & fixed).difference(values)
    if not wanted:
        return values
    part = ModelProto()
    part.CopyFrom(model)
    for field in (part.graph.input, part.graph.output, part.graph.value_info):
        del field[:]
    part.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in sorted(wanted))
    prune(part.graph)
    values.update(run(part, {}))
    return values


def parameters(node: NodeProto, values: Mapping[str, Array]) -> tuple[Array, Array]:
    """(scale, zero-point) of a node, as doubles and integers. Raises InputError."""
    import numpy as np

    if any(name and name not in values for name in node.input[1:]):
        raise InputError(
            f"The scale of '{node.input[0]}' is computed when the model runs.",
            "Export the model with constant scales.",
        )
    scale = np.asarray(values[node.input[1]], np.float64)
    if len(node.input) > 2 and node.input[2]:
        return scale, np.asarray(values[node.input[2]])
    return scale, np.zeros(scale.shape, _default_type(node, values))


def _default_type(node: NodeProto, values: Mapping[str, Array]) -> Any:
    """Of the codes, where no zero-point says so."""
    from onnx import helper

    if node.op_type == DEQUANTIZE and node.input[0] in values:
        return values[node.input[0]].dtype
    asked = attribute(node, "output_dtype")
    return helper.tensor_dtype_to_np_dtype(asked.i if asked is not None and asked.i else 2)


def weight_parameters(node: NodeProto, values: Mapping[str, Array]) -> QuantParams | None:
    """Of a constant in 8 bits or fewer; None for a bias, and where each block has a scale."""
    import numpy as np

    scale, zero = parameters(node, values)
    if zero.dtype.itemsize > 1:
        return None
    value = np.asarray(values[node.output[0]], np.float64)
    axis = None
    if scale.size > 1:
        at = attribute(node, "axis")
        axis = (at.i if at is not None else 1) % max(value.ndim, 1)
        if scale.ndim != 1 or value.ndim == 0 or value.shape[axis] != scale.size:
            return None
    if not np.isfinite(scale).all() or not (scale > 0).all():
        return None
    return QuantParams(
        scale=tuple(float(each) for each in scale.ravel()),
        zero_point=tuple(int(each) for each in np.broadcast_to(zero, scale.shape).ravel()),
        axis=axis,
    )

"""Products of an activation by constants, as the ops that TFLite's kernels have for them.

onnx2tf 2.6.9 makes a FULLY_CONNECTED of a MatMul only where a bias is added behind it. Else it
writes a BATCH_MATMUL, whose constant ai-edge-quantizer 0.5.1 quantizes to 8 bits, a scale for each
channel. LiteRT 2.1.2 takes the first of these scales for all, wants both factors in 16 bits where
one has them, and refuses the op in dynamic-range files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_LARGEST = {"int8": 127, "int16": 32767}
_COPY = b"_duplicated"
"""Begins what ai-edge-quantizer adds to the name of a constant that it copies for another op."""


def connect_fully(model: Any) -> bool:
    """Turn each BATCH_MATMUL of a float file by one constant matrix into a FULLY_CONNECTED.

    x W = FULLY_CONNECTED(x, transpose(W)), whatever the number of x's axes.

    Returns:
        Whether there was any.
    """
    graph = model.subgraphs[0]
    made: dict[tuple[int, bool], int] = {}
    for op in graph.operators:
        matrix = _second_factor(model, graph, op)
        if matrix is None:
            continue
        source, is_turned = int(op.inputs[1]), bool(op.builtinOptions.adjY)
        key = source, is_turned
        if key not in made:
            rows = matrix if is_turned else matrix.T
            name = graph.tensors[source].name + (b"/rows" if is_turned else b"/columns")
            made[key] = editing.add_constant(model, graph, name, rows)
        editing.make_fully_connected(model, op, made[key])
    editing.drop_constants(model, {source for source, _ in made})
    return bool(made)


def _second_factor(model: Any, graph: Any, op: Any) -> Matrix | None:
    """The constant, where it is one matrix for all that it is multiplied with."""
    if contents.op_name(model, op) != "BATCH_MATMUL" or op.builtinOptions.adjX:
        return None
    taken, given = (graph.tensors[int(index)] for index in (op.inputs[0], op.outputs[0]))
    value = contents.float32_values(model, graph.tensors[int(op.inputs[1])])
    if value is None or value.ndim < 2 or len(taken.shape) != len(given.shape):
        return None
    matrix = value.reshape(-1, *value.shape[-2:])
    return matrix[0] if len(matrix) == 1 else None


def rescale_constant_factors(model: Any, float_model: Any) -> None:
    """Give each constant of an integer BATCH_MATMUL the other factor's type, and one scale.

    Args:
        model: The integer file.
        float_model: The one it was made of: of the same names.
    """
    graph = model.subgraphs[0]
    originals = {tensor.name: tensor for tensor in float_model.subgraphs[0].tensors}
    for op in graph.operators:
        if contents.op_name(model, op) != "BATCH_MATMUL":
            continue
        for at in (0, 1):
            index, kind = int(op.inputs[at]), _dtype(graph, op.inputs[1 - at])
            name = graph.tensors[index].name
            original = originals.get(name.split(_COPY)[0])
            is_constant = contents.has_data(model, graph.tensors[index])
            if original is None or kind not in _LARGEST or not is_constant:
                continue
            value = contents.float32_values(float_model, original)
            if value is not None:
                op.inputs = list(map(int, op.inputs))
                op.inputs[at] = _add_scaled(model, graph, name + b"/one_scale", value, kind)
                editing.drop_constants(model, {index})


def _add_scaled(model: Any, graph: Any, name: bytes, value: Matrix, kind: str) -> int:
    import numpy as np

    scale = max(float(np.abs(value).max(initial=0.0)), 1e-30) / _LARGEST[kind]
    codes = np.round(value / scale).astype(kind)
    return editing.add_constant(model, graph, name, codes, scale)


def _dtype(graph: Any, index: Any) -> str:
    return contents.dtype_name(graph.tensors[int(index)])

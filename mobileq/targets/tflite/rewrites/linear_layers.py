"""Products of an activation by one constant matrix, as the op that TFLite's kernels have for them.

onnx2tf 2.6.9 makes a FULLY_CONNECTED of a MatMul only where a bias is added behind it, and else a
BATCH_MATMUL, which LiteRT 2.1.2 refuses in dynamic-range files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]


def connect_fully(model: Any) -> bool:
    """Turn each BATCH_MATMUL of a float file by one constant matrix into a FULLY_CONNECTED.

    x W = FULLY_CONNECTED(x, transpose(W)), whatever the number of x's axes.

    Returns:
        Whether there was any.
    """
    graph = model.subgraphs[0]
    made: dict[tuple[int, bool], int] = {}
    for op in contents.ops_of(model, "BATCH_MATMUL"):
        matrix = _second_factor(model, graph, op)
        if matrix is None:
            continue
        source, is_turned = int(op.inputs[1]), bool(op.builtinOptions.adjY)
        key = source, is_turned
        if key not in made:
            rows = matrix if is_turned else matrix.T
            name = graph.tensors[source].name + (b"/rows" if is_turned else b"/columns")
            made[key] = editing.add_constant(model, name, rows)
        editing.make_fully_connected(model, op, made[key])
    editing.drop_constants(model, {source for source, _ in made})
    return bool(made)


def _second_factor(model: Any, graph: Any, op: Any) -> Matrix | None:
    """The constant, where it is one matrix for all that it is multiplied with."""
    if op.builtinOptions.adjX:
        return None
    taken, given = (graph.tensors[int(index)] for index in (op.inputs[0], op.outputs[0]))
    value = contents.float32_values(model, graph.tensors[int(op.inputs[1])])
    if value is None or value.ndim < 2 or len(taken.shape) != len(given.shape):
        return None
    matrix = value.reshape(-1, *value.shape[-2:])
    return matrix[0] if len(matrix) == 1 else None

"""Shuffled channels, as ShuffleNet has them, by ops that XNNPACK has.

onnx2tf 2.6.9 writes Reshape, Transpose, Reshape, and what is split off behind, as GATHERs of
channels. XNNPACK (LiteRT 2.1.2) has no GATHER, and TFLite's own copies value by value: a sixth of
nanodet's time in float, a quarter of it in int8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int32]


_LEAST = 1 / 4
"""Of the channels, to turn all of them for their sake."""


def transpose_shuffles(model: Any) -> bool:
    """Turn GATHERs of shuffled channels into a TRANSPOSE of groups, and SLICEs of it.

    Returns:
        Whether there was any.
    """
    graph = model.subgraphs[0]
    made: dict[tuple[int, int], int] = {}
    for op in contents.ops_of(model, "GATHER"):
        indices = _channels(model, op)
        if indices is None:
            continue
        source, result = int(op.inputs[0]), int(op.outputs[0])
        count = int(graph.tensors[source].shape[-1])
        groups, start = _shuffle(indices, count)
        if not groups or len(indices) < _LEAST * count:
            continue
        if len(indices) == count:
            made.setdefault((source, groups), result)
            _transpose_groups(model, op, source, groups, result)
        else:
            if (source, groups) not in made:
                name = graph.tensors[result].name + b"/shuffled"
                like = editing.like(graph.tensors[source], name, graph.tensors[source].shape)
                whole = editing.add_tensor(model, like)
                made[source, groups] = whole
                _transpose_groups(model, op, source, groups, whole)
            rank = len(graph.tensors[source].shape)
            with editing.placed_before(model, op):
                begin = (0,) * (rank - 1) + (start,)
                editing.add_slice(model, made[source, groups], result, begin)
        graph.operators.remove(op)
        editing.drop_constants(model, [int(op.inputs[1])])
    return bool(made)


def _channels(model: Any, op: Any) -> Indices | None:
    """Which channels a GATHER takes, where they are constant and there are several."""
    graph = model.subgraphs[0]
    if op.builtinOptions.batchDims:
        return None
    source, indices = (graph.tensors[int(index)] for index in op.inputs)
    axis, rank = op.builtinOptions.axis, len(source.shape)
    if axis % rank != rank - 1 or not contents.has_data(model, indices) or len(indices.shape) != 1:
        return None
    if contents.dtype_name(indices) != "int32" or contents.dtype_name(source) != "float32":
        return None
    return contents.values(model, indices) if indices.shape[0] > 1 else None


def _shuffle(indices: Indices, count: int) -> tuple[int, int]:
    """(number of groups, where it starts) of a piece of a shuffle of `count` channels, else (0, 0).

    Shuffled, the first channels of all groups come first, then the second ones.
    """
    import numpy as np

    for groups in range(2, count):
        if count % groups == 0:
            order = np.arange(count).reshape(groups, -1).T.ravel()
            for start in np.flatnonzero(order == indices[0]).tolist():
                if np.array_equal(order[start : start + len(indices)], indices):
                    return groups, start
    return 0, 0


def _transpose_groups(model: Any, op: Any, source: int, groups: int, result: int) -> None:
    graph = model.subgraphs[0]
    given, name = graph.tensors[source], graph.tensors[result].name
    first, *inner, count = map(int, given.shape)
    # Four axes: GPUs take no more.
    apart = (first, math.prod(inner), groups, count // groups)
    together = (*apart[:2], apart[3], groups)
    split = editing.add_tensor(model, editing.like(given, name + b"/groups", apart))
    turned = editing.add_tensor(model, editing.like(given, name + b"/transposed", together))
    with editing.placed_before(model, op):
        editing.add_reshape(model, source, split, apart)
        editing.add_transpose(model, split, turned, (0, 1, 3, 2), turned)
        editing.add_reshape(model, turned, result, tuple(map(int, given.shape)))

"""Max poolings with padding in int8, by ops that XNNPACK has.

onnx2tf (2.6.9) pads them by a PADV2 of the lowest value. XNNPACK (LiteRT 2.1.2) has none, and
TFLite's own for int8 is its reference kernel, which took a twelfth of nanodet's time. A window that
reaches beyond the edge has the edge in it, so that copies of it leave the maximum what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.wiring import Wiring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sides = NDArray[np.int64]

_LOWEST, _MOST = -128, 5
"""The code of minus infinity, and how many tensors XNNPACK concatenates."""


def repeat_edges(model: Any) -> None:
    """Pad int8 max poolings with copies of the rows and columns at the edge."""
    from ai_edge_litert import schema_py_generated as schema

    graph, wiring = model.subgraphs[0], Wiring(model)
    for pool in contents.ops_of(model, "MAX_POOL_2D"):
        pad = wiring.maker(pool.inputs[0], "PADV2")
        if pad is None or pool.builtinOptions.padding != schema.Padding.VALID:
            continue
        sides, source = _sides(model, wiring, pad, pool), int(pad.inputs[0])
        if sides is None:
            continue
        name = bytes(graph.tensors[int(pool.outputs[0])].name)
        with editing.placed_before(model, pool):
            for axis, (first, last) in enumerate(sides.tolist(), 1):
                source = _repeat(model, source, axis, (first, last), name)
        graph.operators.remove(pad)
        editing.drop_constants(model, [int(index) for index in pad.inputs[1:]])
        pool.inputs = [source]


def _sides(model: Any, wiring: Wiring, pad: Any, pool: Any) -> Sides | None:
    """((above, below), (left, right)) of the rows and columns that windows reach into."""
    import numpy as np

    graph, options = model.subgraphs[0], pool.builtinOptions
    taken, amounts, value = (graph.tensors[int(index)] for index in pad.inputs)
    is_inner = wiring.only_taker(pad.outputs[0]) is not None
    kinds = contents.dtype_name(taken), contents.dtype_name(value), contents.dtype_name(amounts)
    if kinds != ("int8", "int8", "int32") or not is_inner or len(taken.shape) != 4:
        return None
    fill, sides = contents.values(model, value), contents.values(model, amounts)
    if fill is None or sides is None or fill.tolist() != [_LOWEST]:
        return None
    sides = sides.astype(np.int64)
    kernel = np.array([options.filterHeight, options.filterWidth])
    steps = np.array([options.strideH, options.strideW])
    results = np.array(graph.tensors[int(pool.outputs[0])].shape[1:3])
    needed = (results - 1) * steps + kernel - np.array(taken.shape[1:3]) - sides[1:3, 0]
    sides[1:3, 1] = np.maximum(needed, 0)
    fits = sides.max() < kernel.min() and sides.sum(axis=1).max() < _MOST
    return sides[1:3] if fits and not sides[[0, 3]].any() else None


def _repeat(model: Any, source: int, axis: int, counts: tuple[int, int], name: bytes) -> int:
    """Append what puts copies of the first and last row, or column, at both ends."""
    graph = model.subgraphs[0]
    given = graph.tensors[source]
    size = [int(each) for each in given.shape]
    side = name + (b"/rows" if axis == 1 else b"/columns")
    if not any(counts):
        return source

    def edge(at: int, which: bytes) -> int:
        shape = [1 if each == axis else length for each, length in enumerate(size)]
        made = editing.add_tensor(model, editing.like(given, side + which, shape))
        begin = tuple(at if each == axis else 0 for each in range(4))
        editing.add_slice(model, source, made, begin)
        return made

    parts = [source]
    if counts[0]:
        parts = [edge(0, b"/first")] * counts[0] + parts
    if counts[1]:
        parts += [edge(size[axis] - 1, b"/last")] * counts[1]
    size[axis] += sum(counts)
    whole = editing.add_tensor(model, editing.like(given, side, size))
    editing.add_concatenation(model, parts, whole, axis)
    return whole

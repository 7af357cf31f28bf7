"""Strided convolutions of few channels in int8, as convolutions of the blocks that they step over.

XNNPACK's int8 kernels (LiteRT 2.1.2) take the channels of each of a kernel's taps in groups of four
or eight, AMX's in tiles of 64, and fill up what is missing: of a picture's three channels most of
the work is done on zeros. A 6x6 convolution of stride 2 is a 3x3 one of the twelve channels of 2x2
pixels (SPACE_TO_DEPTH), with the same products and the same sums. YOLOv5's first layer takes
5.6 ms of 21 as it is with VNNI, 14 of 27 with AMX.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.rewrites.padding import insert_pad, same_zeros
from mobileq.targets.tflite.wiring import Wiring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.int8]

_SMALL_GROUP, _LARGE_GROUP = 4, 8
"""Channels that kernels take at once: of ARM's dot products, and of i8mm and VNNI."""
_WORTHWHILE = 0.75
"""Of the work with the larger groups: less is not saved for the sake of a copy of the picture."""
_KINDS = ("int8", "int8"), ("float32", "int8")
"""Of activations and weights. The second is a dynamic-range file's, whose kernels are int8's."""


@dataclass(frozen=True)
class _Axis:
    """How a convolution steps along height or width, in blocks of its stride.

    Attributes:
        before, after: Blocks of zeros at both ends.
        shift: Rows of zeros in front of the kernel, which begins inside of a block.
        taps: Blocks that the kernel covers.
    """

    before: int
    after: int
    shift: int
    taps: int


def convolve_blocks(model: Any) -> None:
    """Put a SPACE_TO_DEPTH before each int8 convolution that this saves work of."""
    wiring = Wiring(model)
    for op in contents.ops_of(model, "CONV_2D"):
        _convolve_blocks(model, wiring, op)


def _convolve_blocks(model: Any, wiring: Wiring, op: Any) -> None:
    tensors, options = model.subgraphs[0].tensors, op.builtinOptions
    weights, block = tensors[int(op.inputs[1])], int(options.strideH)
    kinds = tuple(map(wiring.dtype, op.inputs[:2]))
    kernel = wiring.own_constant(op.inputs[1]) if kinds in _KINDS else None
    steps = (options.strideW, options.dilationHFactor, options.dilationWFactor)
    if kernel is None or block < 2 or steps != (block, 1, 1):
        return
    pad, source, pads = _padded(model, wiring, op)
    given = tensors[source]
    if given.shape[3] != kernel.shape[3] or given.shape[1] % block or given.shape[2] % block:
        return  # grouped, or no whole number of blocks
    results = tensors[int(op.outputs[0])].shape
    sides = zip(given.shape[1:3], kernel.shape[1:3], results[1:3], pads, strict=True)
    rows, columns = (_axis(block, *map(int, side)) for side in sides)
    if min(rows.after, columns.after) < 0 or not _is_worthwhile(kernel, block, rows, columns):
        return
    folded = _fold(kernel, block, rows, columns)
    model.buffers[weights.buffer].data = folded.reshape(-1).view("uint8")
    weights.shape = list(folded.shape)
    _rewire(model, op, pad, source, block, (rows, columns))


def _padded(model: Any, wiring: Wiring, op: Any) -> tuple[Any, int, tuple[int, int]]:
    """(PAD before a convolution that may go or None, what is taken, zeros above and left)."""
    from ai_edge_litert import schema_py_generated as schema

    graph, taken = model.subgraphs[0], int(op.inputs[0])
    if op.builtinOptions.padding == schema.Padding.SAME:
        rows, columns = same_zeros(model, op)
        return None, taken, (max(rows, 0) // 2, max(columns, 0) // 2)
    pad = wiring.maker(taken, "PAD")
    if pad is None or wiring.only_taker(taken) is None:
        return None, taken, (0, 0)
    pads = contents.values(model, graph.tensors[int(pad.inputs[1])])
    if pads is None or len(pads) != 4 or pads[[0, 3]].any():
        return None, taken, (0, 0)
    return pad, int(pad.inputs[0]), (int(pads[1, 0]), int(pads[2, 0]))


def _axis(block: int, size: int, kernel: int, results: int, zeros: int) -> _Axis:
    before = math.ceil(zeros / block)
    shift = before * block - zeros
    taps = math.ceil((shift + kernel) / block)
    return _Axis(before, results + taps - 1 - before - size // block, shift, taps)


def _is_worthwhile(kernel: Weights, block: int, rows: _Axis, columns: _Axis) -> bool:
    _, height, width, channels = kernel.shape

    def work(taps: int, channels: int, group: int) -> int:
        return taps * group * math.ceil(channels / group)

    def saved(group: int) -> float:
        folded = work(rows.taps * columns.taps, block * block * channels, group)
        return folded / work(height * width, channels, group)

    return saved(_SMALL_GROUP) <= 1 and saved(_LARGE_GROUP) <= _WORTHWHILE


def _fold(kernel: Weights, block: int, rows: _Axis, columns: _Axis) -> Weights:
    """A kernel of pixels as one of blocks, whose channels are row, column, channel."""
    import numpy as np

    results, height, width, channels = kernel.shape
    sizes = rows.taps * block, columns.taps * block
    wide = np.zeros((results, *sizes, channels), np.int8)
    wide[:, rows.shift :, columns.shift :][:, :height, :width] = kernel
    parts = wide.reshape(results, rows.taps, block, columns.taps, block, channels)
    shape = results, rows.taps, columns.taps, block * block * channels
    return np.ascontiguousarray(parts.transpose(0, 1, 3, 2, 4, 5).reshape(shape))


def _rewire(
    model: Any, op: Any, pad: Any, source: int, block: int, axes: tuple[_Axis, _Axis]
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    given = graph.tensors[source]
    count, height, width, channels = map(int, given.shape)
    shape = count, height // block, width // block, channels * block**2
    result = graph.tensors[int(op.outputs[0])].name
    blocks = editing.like(given, result + b"/blocks", shape)
    taken = editing.add_tensor(model, blocks)
    with editing.placed_before(model, op):
        editing.add_space_to_depth(model, source, taken, block)
    padded = insert_pad(model, op, taken, [(axis.before, axis.after) for axis in axes])
    if pad is not None:
        graph.operators.remove(pad)
        editing.drop_constants(model, [int(pad.inputs[1])])
    op.inputs = [padded, *map(int, op.inputs[1:])]
    options = op.builtinOptions
    options.strideH, options.strideW, options.padding = 1, 1, schema.Padding.VALID

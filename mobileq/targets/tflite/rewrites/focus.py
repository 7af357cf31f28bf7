"""YOLOX's first layer (Focus) by an op that XNNPACK has.

It takes every second pixel, four times, and puts the four pictures' channels behind each other.
XNNPACK (LiteRT 2.1.2) has no STRIDED_SLICE with steps. SPACE_TO_DEPTH gives the same channels in
another order, which the weights of the convolution behind it can have as well.
"""

from __future__ import annotations

import math
from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.wiring import Wiring


def join_slices(model: Any) -> None:
    """Turn the slices and their CONCATENATION, before an int8 convolution, into one op."""
    graph, wiring = model.subgraphs[0], Wiring(model)
    for op in contents.ops_of(model, "CONCATENATION"):
        joined = int(op.outputs[0])
        taker, places = wiring.only_taker(joined), _places(model, wiring, op)
        if places is None or taker is None:
            continue
        source, block, order = places
        if not _reorder(model, wiring, taker, joined, order):
            continue
        with editing.placed_before(model, op):
            editing.add_space_to_depth(model, source, joined, block)
        slices = [wiring.makers[int(index)] for index in op.inputs]
        graph.operators.remove(op)
        for each in slices:
            if wiring.is_unused(each.outputs[0]):
                graph.operators.remove(each)
                editing.drop_constants(model, [int(index) for index in each.inputs[1:]])
        tensor = graph.tensors[joined]
        tensor.name = bytes(tensor.name) + b"/blocks"  # whose channels are in another order


def _places(model: Any, wiring: Wiring, op: Any) -> tuple[int, int, list[int]] | None:
    """(what all inputs are slices of, their step, which of a block's pixels each input has)."""
    tensors, joined = model.subgraphs[0].tensors, int(op.outputs[0])
    found = [wiring.maker(index, "STRIDED_SLICE") for index in op.inputs]
    slices = [each for each in found if each is not None]
    sources = {int(each.inputs[0]) for each in slices}
    if len(slices) < len(found) or len(sources) != 1 or len(tensors[joined].shape) != 4:
        return None
    source, block = sources.pop(), math.isqrt(len(slices))
    shape = [int(size) for size in tensors[source].shape]
    if op.builtinOptions.axis % 4 != 3 or block < 2 or shape[1] % block or shape[2] % block:
        return None
    both = tensors[source], tensors[joined]
    kinds = {contents.dtype_name(each) for each in both}
    # TFLite's kernel knows no 16 bits.
    if kinds not in ({"int8"}, {"float32"}) or len({*map(contents.tensor_quant, both)}) > 1:
        return None
    order = [_place(model, each, shape, block) for each in slices]
    return (source, block, order) if sorted(order) == list(range(block**2)) else None


def _place(model: Any, op: Any, shape: list[int], block: int) -> int:
    """Which pixel of a block a slice takes; -1 where it takes another part."""
    tensors, options = model.subgraphs[0].tensors, op.builtinOptions
    parts = [contents.values(model, tensors[int(index)]) for index in op.inputs[1:4]]
    masks = options.beginMask, options.endMask, options.ellipsisMask
    if any(part is None for part in parts) or any(masks):
        return -1
    if options.newAxisMask or options.shrinkAxisMask:
        return -1
    begin, end, step = (part.tolist() for part in parts if part is not None)
    row, column = begin[1:3]
    is_whole = (end, step) == (shape, [1, block, block, 1]) and begin == [0, row, column, 0]
    return row * block + column if is_whole and 0 <= row < block > column >= 0 else -1


def _reorder(model: Any, wiring: Wiring, op: Any, joined: int, order: list[int]) -> bool:
    """Give the channels of a convolution's own weights the order of pixels in a block."""
    import numpy as np

    tensors = model.subgraphs[0].tensors
    if wiring.kind(op) != "CONV_2D" or int(op.inputs[0]) != joined:
        return False
    weights = tensors[int(op.inputs[1])]
    kernel = wiring.own_constant(op.inputs[1])
    if kernel is None or kernel.shape[3] != int(tensors[joined].shape[3]):
        return False
    parts = np.split(kernel, len(order), axis=3)
    behind = np.concatenate([parts[order.index(at)] for at in range(len(order))], axis=3)
    model.buffers[weights.buffer].data = np.frombuffer(behind.tobytes(), np.uint8)
    return True

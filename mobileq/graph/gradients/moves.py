"""Gradients of operators that move values, select some of them or put others beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from mobileq.graph.gradients.step import Refused, Rule, Step
from mobileq.graph.rewrites.rule import positive_axis


def _reshaped(step: Step) -> dict[int, str]:
    return {0: step.reshaped(step.gradient, step.shape(step.x))}


def _transposed(step: Step) -> dict[int, str]:
    rank = len(step.shape(step.x))
    order = step.attribute("perm", list(range(rank))[::-1])
    return {0: step.op("Transpose", step.gradient, perm=[order.index(at) for at in range(rank)])}


def _concat(step: Step) -> dict[int, str]:
    axis, found, start = step.axis(0), {}, 0
    for at, name in enumerate(step.node.input):
        stop = start + step.shape(name)[axis]
        if at in step.wanted:
            found[at] = step.tape.sliced(step.gradient, axis, start, stop)
        start = stop
    return found


def _split(step: Step) -> dict[int, str]:
    parts = [
        step.zeros(step.shape(name)) if gradient is None else gradient
        for name, gradient in zip(step.node.output, step.given, strict=True)
    ]
    return {0: step.op("Concat", *parts, axis=step.axis(0))}


def _slice(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    starts, ends = (step.ints(at, name) or [] for at, name in ((1, "starts"), (2, "ends")))
    axes, steps = step.axes(3) or list(range(len(starts))), step.ints(4, "steps")
    before, after = [0] * len(shape), [0] * len(shape)
    gradient, now = step.gradient, list(step.shape(step.y))
    for start, end, stride, axis in zip(starts, ends, steps or [1] * len(axes), axes, strict=True):
        length = shape[axis]
        last = None if stride < 0 and end < -length else end
        taken = np.arange(length)[slice(start, last, stride)]
        if stride == 1:
            before[axis], after[axis] = int(taken[0]), length - 1 - int(taken[-1])
        else:
            now[axis] = length
            gradient = step.selected(gradient, now, axis, taken)
    return {0: step.padded(gradient, before, after)}


def _gather(step: Step) -> dict[int, str]:
    shape, axis, gradient = step.shape(step.x), step.axis(0), step.gradient
    where, count = step.node.input[1], math.prod(step.shape(step.node.input[1]))
    flat = [*shape[:axis], count, *shape[axis + 1 :]]
    if tuple(flat) != step.shape(step.y):
        gradient = step.reshaped(gradient, flat)
    if step.tape.value(where) is None:
        along = step.reshaped(where, [count if at == axis else 1 for at in range(len(shape))])
        along = step.expanded(along, flat)
        return {0: step.scattered(gradient, along, shape, axis, apart=False)}
    indices = step.value(1).astype(np.int64).reshape(-1)
    chosen = np.where(indices < 0, indices + shape[axis], indices)
    return {0: step.selected(gradient, shape, axis, chosen)}


def _gather_elements(step: Step) -> dict[int, str]:
    shape, axis, where = step.shape(step.x), step.axis(0), step.node.input[1]
    return {0: step.scattered(step.gradient, where, shape, axis, apart=False)}


def _pad(step: Step) -> dict[int, str]:
    shape, mode = step.shape(step.x), step.attribute("mode", "constant")
    if 2 in step.wanted:
        raise Refused("the value that it pads with is computed")
    pads = step.ints(1, "pads") or []
    axes = step.axes(3) or list(range(len(shape)))
    before, after = [0] * len(shape), [0] * len(shape)
    for at, axis in enumerate(axes):
        before[axis], after[axis] = pads[at], pads[len(axes) + at]
    if mode == "constant":
        return {0: step.padded(step.gradient, [-each for each in before],
                               [-each for each in after])}  # fmt: skip
    if min(*before, *after) < 0:
        raise Refused("it takes away and repeats")
    gradient, now = step.gradient, list(step.shape(step.y))
    for axis, ends in enumerate(zip(before, after, strict=True)):
        if any(ends):
            chosen = np.pad(np.arange(shape[axis]), ends, mode=mode)
            now[axis] = shape[axis]
            gradient = step.selected(gradient, now, axis, chosen)
    return {0: gradient}


def _tile(step: Step) -> dict[int, str]:
    shape, counts = step.shape(step.x), [int(each) for each in step.value(1).reshape(-1)]
    pairs = [length for pair in zip(counts, shape, strict=True) for length in pair]
    parts = step.reshaped(step.gradient, pairs)
    axes = list(range(0, len(pairs), 2))
    return {0: step.tape.summed(parts, axes, keepdims=False)}


def _depth_to_space(step: Step) -> dict[int, str]:
    batch, channels, height, width = step.shape(step.x)
    block = step.attribute("blocksize", 1)
    parts = [batch, channels // block**2, height, block, width, block]
    order = [0, 1, 3, 5, 2, 4] if step.attribute("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
    value = step.op("Transpose", step.reshaped(step.gradient, parts), perm=order)
    return {0: step.reshaped(value, [batch, channels, height, width])}


def _space_to_depth(step: Step) -> dict[int, str]:
    return {0: step.op("DepthToSpace", step.gradient, blocksize=step.attribute("blocksize", 1))}


def _cumulated(step: Step) -> dict[int, str]:
    """Sums from the other end."""
    turned = 1 - step.attribute("reverse", 0)
    exclusive = step.attribute("exclusive", 0)
    value = step.op(
        "CumSum", step.gradient, step.node.input[1], reverse=turned, exclusive=exclusive
    )
    return {0: value}


def _largest(step: Step) -> dict[int, str]:
    """Of TopK: to where the values were."""
    shape = step.shape(step.x)
    axis = positive_axis(step.attribute("axis", -1), len(shape))
    return {0: step.scattered(step.gradient, step.node.output[1], shape, axis, apart=True)}


RULES: Final[Mapping[str, Rule]] = {
    "Reshape": _reshaped,
    "Flatten": _reshaped,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
    "Transpose": _transposed,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Pad": _pad,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "CumSum": _cumulated,
    "TopK": _largest,
}

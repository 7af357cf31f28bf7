"""Gradients of poolings and of Resize, which is a product with a matrix along each axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from mobileq.graph.gradients.products import transposed_convolution, windows
from mobileq.graph.gradients.step import Refused, Rule, Step
from mobileq.graph.rewrites.resize_matrices import axis_matrices

if TYPE_CHECKING:
    from mobileq.graph.gradients.step import Array
    from mobileq.graph.rewrites.windows import Windows

_OF_A_WINDOW = 3
"""What a window of MaxPool takes beside its values, in values."""


def _global_average(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    share = step.scaled(step.gradient, 1 / int(np.prod(shape[2:])))
    return {0: step.expanded(share, shape)}


def _average(step: Step) -> dict[int, str]:
    """Each window's share to all that is in it: a convolution with ones, transposed."""
    over = windows(step)
    channels = step.shape(step.x)[1]
    shares = 1 / _counts(over, bool(step.attribute("count_include_pad", 0)))
    gradient, first = step.gradient, float(shares.flat[0])
    if not (shares == first).all():
        gradient, first = step.op("Mul", gradient, step.constant(shares)), 1.0
    ones = np.full((channels, 1, *over.kernel), first)
    return {0: transposed_convolution(step, gradient, ones, over, channels)}


def _counts(over: Windows, with_pads: bool) -> Array:
    """[*counts]: the values that each window takes the mean of."""
    total = np.ones([1] * len(over.lengths))
    for axis, length in enumerate(over.lengths):
        before, after = over.before[axis], over.after[axis]
        starts = np.arange(over.counts[axis]) * over.strides[axis] - before
        taps = starts[:, None] + np.arange(over.kernel[axis]) * over.dilations[axis]
        low, high = (-before, length + after) if with_pads else (0, length)
        along = [1] * len(over.lengths)
        along[axis] = -1
        total = total * ((taps >= low) & (taps < high)).sum(axis=1).reshape(along)
    return total


def _global_maximum(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    flat = [*shape[:2], int(np.prod(shape[2:]))]
    where = step.op("ArgMax", step.reshaped(step.x, flat), axis=2)
    gradient = step.reshaped(step.gradient, [*flat[:2], 1])
    found = step.scattered(gradient, where, flat, 2, apart=True)
    return {0: step.reshaped(found, shape)}


def _maximum(step: Step) -> dict[int, str]:
    """To where each window's maximum was; of equal values one has all.

    Large windows along one axis after the other, which is less to compare, and few of them overlap.
    """
    over, shape = windows(step), step.shape(step.x)
    value, passes = step.x, []
    for axes in _passes(over):
        value, where = _maxima(step, value, over, axes)
        passes.append((axes, where, shape))
        counts = (over.counts[at] if at in axes else n for at, n in enumerate(shape[2:]))
        shape = (*shape[:2], *counts)
    gradient = step.gradient
    for axes, where, before in reversed(passes):
        gradient = _returned(step, (gradient, where), over, axes, before)
    return {0: gradient}


def _passes(over: Windows) -> list[tuple[int, ...]]:
    """The spatial axes that are pooled together."""
    axes = tuple(range(len(over.kernel)))
    lengths, taps = list(over.lengths), 0
    for axis in axes:
        lengths[axis] = over.counts[axis]
        taps += math.prod(lengths) * (over.kernel[axis] + _OF_A_WINDOW)
    together = math.prod(over.counts) * (math.prod(over.kernel) + _OF_A_WINDOW)
    return [(axis,) for axis in axes] if taps < together else [axes]


def _maxima(step: Step, value: str, over: Windows, axes: tuple[int, ...]) -> tuple[str, str]:
    """Along some spatial axes: the maxima, and their places in all of the tensor."""
    upwards = step.attribute("ceil_mode", 0)
    if step.attribute("auto_pad", "NOTSET").startswith("SAME"):
        upwards = 0

    def along(numbers: Sequence[int], others: int) -> list[int]:
        return [each if at in axes else others for at, each in enumerate(numbers)]

    names = [step.tape.fresh("maximum"), step.tape.fresh("place")]
    step.tape.emit(
        "MaxPool", [value], names, kernel_shape=along(over.kernel, 1), ceil_mode=upwards,
        strides=along(over.strides, 1), dilations=along(over.dilations, 1),
        pads=along(over.before, 0) + along(over.after, 0),
    )  # fmt: skip
    return names[0], names[1]


def _returned(
    step: Step, given: tuple[str, str], over: Windows, axes: tuple[int, ...], shape: Sequence[int]
) -> str:
    """The gradients, which come with their places, where they belong; sums of those of one place.

    Before opset 16, where ScatterElements adds nothing up, in turns of windows that don't overlap.
    """
    turns = []
    for axis in axes:
        span = (over.kernel[axis] - 1) * over.dilations[axis] + 1
        turns.append(min(-(-span // over.strides[axis]), over.counts[axis]))
    apart = all(count == 1 for count in turns)
    if step.scatters_sums and not apart:
        turns = [1] * len(turns)
    parts = []
    for starts in itertools.product(*map(range, turns)):
        taken = list(given)
        for axis, start, every in zip(axes, starts, turns, strict=True):
            if every > 1:
                stop = over.counts[axis]
                taken = [step.tape.sliced(each, axis + 2, start, stop, every) for each in taken]
        value, where = (step.reshaped(each, [-1]) for each in taken)
        alone = apart or not step.scatters_sums
        parts.append(step.scattered(value, where, [math.prod(shape)], 0, apart=alone))
    return step.reshaped(step.op("Sum", *parts) if len(parts) > 1 else parts[0], shape)


def _resize(step: Step) -> dict[int, str]:
    before, after = step.shape(step.x), step.shape(step.y)
    matrices = axis_matrices(step.node, step.tape)
    if isinstance(matrices, str):
        raise Refused(matrices)
    gradient = step.gradient
    factors = [1] * len(before)
    for axis, matrix in matrices.items():
        factor = after[axis] // before[axis]
        repeated = np.repeat(np.eye(before[axis]), factor, axis=0)
        if axis > 1 and matrix.shape == repeated.shape and (matrix == repeated).all():
            factors[axis] = factor
    now = list(after)
    for axis, matrix in matrices.items():
        if factors[axis] == 1:
            gradient = step.along(gradient, len(before), axis, matrix)
            now[axis] = before[axis]
    kernel = factors[2:]
    if any(factor > 1 for factor in kernel):
        gradient = step.op("AveragePool", gradient, kernel_shape=kernel, strides=kernel)
        gradient = step.scaled(gradient, int(np.prod(kernel)))
    return {0: gradient}


RULES: Final[Mapping[str, Rule]] = {
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_maximum,
    "AveragePool": _average,
    "MaxPool": _maximum,
    "Resize": _resize,
}

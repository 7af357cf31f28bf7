"""Gradients of poolings and of Resize, which is a product with a matrix along each axis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from mobileq.graph.gradients.products import transposed_convolution, windows
from mobileq.graph.gradients.step import Refused, Rule, Step
from mobileq.graph.rewrites.resize_matrices import axis_matrices

if TYPE_CHECKING:
    from mobileq.graph.gradients.step import Array
    from mobileq.graph.rewrites.windows import Windows


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
    """To where each window's maximum was, which its indices say; sums where windows overlap."""
    if step.attribute("storage_order", 0):
        raise Refused("its indices are of another order")
    over, shape = windows(step), step.shape(step.x)
    where = step.tape.second_output(step.node)
    spans = [(k - 1) * d + 1 for k, d in zip(over.kernel, over.dilations, strict=True)]
    apart = [-(-span // stride) for span, stride in zip(spans, over.strides, strict=True)]
    size = int(np.prod(shape))
    alone = all(each == 1 for each in apart)
    if alone or step.scatters_sums:
        flat = [step.reshaped(name, [-1]) for name in (step.gradient, where)]
        found = step.scattered(flat[0], flat[1], [size], 0, apart=alone)
        return {0: step.reshaped(found, shape)}
    parts = []
    for phase in itertools.product(*(range(each) for each in apart)):
        # Windows that do not overlap.
        taken = [step.gradient, where]
        for axis, (start, stride) in enumerate(zip(phase, apart, strict=True)):
            count = over.counts[axis]
            if start < count and stride > 1:
                taken = [step.tape.sliced(name, axis + 2, start, count, stride) for name in taken]
        if all(start < count for start, count in zip(phase, over.counts, strict=True)):
            flat = [step.reshaped(name, [-1]) for name in taken]
            parts.append(step.scattered(flat[0], flat[1], [size], 0, apart=True))
    return {0: step.reshaped(step.op("Sum", *parts), shape)}


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

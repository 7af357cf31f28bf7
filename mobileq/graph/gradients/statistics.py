"""Gradients of sums, means and extremes over axes, and of what is normalized by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from mobileq.graph.gradients.step import Refused, Rule, Step

if TYPE_CHECKING:
    from mobileq.graph.gradients.step import Array

_FLAT_SOFTMAX = 13
"""The opset before which a softmax is over its axis and all behind it."""


def _reduced(step: Step) -> tuple[tuple[int, ...], list[int], str]:
    """The shape before, the axes, and the gradient with the axes as lengths of 1."""
    shape = step.shape(step.x)
    axes = step.axes(1)
    if not axes:
        axes = [] if step.attribute("noop_with_empty_axes", 0) else list(range(len(shape)))
    kept = [1 if at in axes else length for at, length in enumerate(shape)]
    gradient = step.gradient
    if not step.attribute("keepdims", 1):
        gradient = step.reshaped(gradient, kept)
    return shape, axes, gradient


def _sum(step: Step) -> dict[int, str]:
    shape, _, gradient = _reduced(step)
    return {0: step.expanded(gradient, shape)}


def _mean(step: Step) -> dict[int, str]:
    shape, axes, gradient = _reduced(step)
    count = math.prod(shape[axis] for axis in axes)
    return {0: step.expanded(step.scaled(gradient, 1 / count), shape)}


def _squares(step: Step) -> dict[int, str]:
    _, _, gradient = _reduced(step)
    return {0: step.op("Mul", step.scaled(gradient, 2), step.x)}


def _length(step: Step) -> dict[int, str]:
    """x / y, of y = |x|."""
    shape, axes, gradient = _reduced(step)
    kept = [1 if at in axes else length for at, length in enumerate(shape)]
    share = step.op("Div", gradient, step.reshaped(step.y, kept))
    return {0: step.op("Mul", share, step.x)}


def _extreme(step: Step) -> dict[int, str]:
    """In equal parts to all that are the largest, or the smallest."""
    shape, axes, gradient = _reduced(step)
    kept = [1 if at in axes else length for at, length in enumerate(shape)]
    same = step.op("Equal", step.x, step.reshaped(step.y, kept))
    mine = step.op("Cast", same, to=step.tape.elem_type(step.x))
    share = step.op("Div", gradient, step.tape.summed(mine, axes))
    return {0: step.op("Mul", share, mine)}


def _softmax_axes(step: Step) -> list[int]:
    rank = len(step.shape(step.x))
    if step.tape.opset >= _FLAT_SOFTMAX:
        return [step.axis(-1)]
    return list(range(step.axis(1), rank))


def _softmax(step: Step) -> dict[int, str]:
    """y (g - sum(g y))."""
    weighted = step.op("Mul", step.gradient, step.y)
    total = step.tape.summed(weighted, _softmax_axes(step))
    return {0: step.op("Sub", weighted, step.op("Mul", step.y, total))}


def _log_softmax(step: Step) -> dict[int, str]:
    """g - exp(y) sum(g)."""
    total = step.tape.summed(step.gradient, _softmax_axes(step))
    share = step.op("Mul", step.op("Exp", step.y), total)
    return {0: step.op("Sub", step.gradient, share)}


def _normalized(
    step: Step, shape: Sequence[int], axes: list[int], scale: str, centred: bool = True
) -> dict[int, str]:
    """Of scale z + shift with z = (x - mean) / deviation: with h = scale g,
    (h - mean(h) - z mean(h z)) / deviation. Without `centred`, no mean is taken away.
    """
    x = step.x
    if centred:
        x = step.op("Sub", x, step.mean(x, axes, shape))
    variance = step.mean(step.op("Mul", x, x), axes, shape)
    variance = step.op("Add", variance, step.number(step.attribute("epsilon", 1e-5)))
    deviation = step.op("Sqrt", variance)
    z = step.op("Div", x, deviation)
    h = step.op("Mul", step.gradient, scale)
    value = step.op("Sub", h, step.op("Mul", z, step.mean(step.op("Mul", h, z), axes, shape)))
    if centred:
        value = step.op("Sub", value, step.mean(h, axes, shape))
    return {0: step.op("Div", value, deviation)}


def _layer(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    axes = list(range(step.axis(-1), len(shape)))
    return _normalized(step, shape, axes, step.node.input[1])


def _root_mean_square(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    axes = list(range(step.axis(-1), len(shape)))
    return _normalized(step, shape, axes, step.node.input[1], centred=False)


def _per_channel(step: Step, values: Array, rank: int) -> str:
    return step.constant(values.reshape(-1, *[1] * (rank - 2)))


def _instance(step: Step) -> dict[int, str]:
    shape = step.shape(step.x)
    scale = _per_channel(step, step.value(1), len(shape))
    return _normalized(step, shape, list(range(2, len(shape))), scale)


def _batch(step: Step) -> dict[int, str]:
    """Of inference, where it is linear."""
    if step.attribute("training_mode", 0):
        raise Refused("it normalizes by the batch")
    scale, variance = (step.value(at).astype(np.float64) for at in (1, 4))
    factors = scale / np.sqrt(variance + step.attribute("epsilon", 1e-5))
    shaped = _per_channel(step, factors, len(step.shape(step.x)))
    return {0: step.op("Mul", step.gradient, shaped)}


RULES: Final[Mapping[str, Rule]] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceSumSquare": _squares,
    "ReduceL2": _length,
    "ReduceMax": _extreme,
    "ReduceMin": _extreme,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "LayerNormalization": _layer,
    "RMSNormalization": _root_mean_square,
    "InstanceNormalization": _instance,
    "BatchNormalization": _batch,
}

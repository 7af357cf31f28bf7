"""Gradients of functions of one value: g f'(x), written with y = f(x) where that is less.

Where a function has a corner its derivative is one of the two beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from mobileq.graph.gradients.step import Refused, Rule, Step

_UNBOUNDED = 1e30
"""Limits beyond are none."""
_STEEP = 1e30


def _times(derivative: Callable[[Step], str]) -> Rule:
    return lambda step: {0: step.op("Mul", step.gradient, derivative(step))}


def _passed(step: Step) -> dict[int, str]:
    return {0: step.op("Identity", step.gradient)}


def _sigmoid(step: Step) -> str:
    return step.op("Sub", step.y, step.op("Mul", step.y, step.y))


def _tanh(step: Step) -> str:
    return step.op("Sub", step.number(1), step.op("Mul", step.y, step.y))


def _where(step: Step, condition: str, yes: str, no: str) -> str:
    return step.op("Where", condition, yes, no)


def _positive(step: Step, threshold: float = 0.0) -> str:
    return step.op("Greater", step.x, step.number(threshold))


def _ones(step: Step, value: str) -> str:
    """1 where the value is positive, 0 elsewhere."""
    if step.dtype != np.float32:
        return step.op("Max", step.op("Sign", value), step.number(0))
    # A fourth of the time that Sign takes, or Where (ONNX Runtime 1.26).
    return step.op("HardSigmoid", value, alpha=_STEEP, beta=0.0)


def _leaky_relu(step: Step) -> str:
    slope = step.attribute("alpha", 0.01)
    if 0 <= slope <= 1:
        return step.op("Max", _ones(step, step.x), step.number(slope))
    return _where(step, _positive(step), step.number(1), step.number(slope))


def _prelu(step: Step) -> str:
    return _where(step, _positive(step), step.number(1), step.node.input[1])


def _elu(step: Step) -> str:
    alpha = step.attribute("alpha", 1.0)
    below = step.op("Add", step.y, step.number(alpha))
    return _where(step, _positive(step), step.number(1), below)


def _celu(step: Step) -> str:
    alpha = step.attribute("alpha", 1.0)
    below = step.op("Exp", step.scaled(step.x, 1 / alpha))
    return _where(step, _positive(step), step.number(1), below)


def _selu(step: Step) -> str:
    alpha = step.attribute("alpha", 1.6732632423543772)
    gamma = step.attribute("gamma", 1.0507009873554805)
    below = step.op("Add", step.y, step.number(alpha * gamma))
    return _where(step, _positive(step), step.number(gamma), below)


def _thresholded_relu(step: Step) -> str:
    above = _positive(step, step.attribute("alpha", 1.0))
    return _where(step, above, step.number(1), step.number(0))


def _between(step: Step, low: float, high: float) -> str:
    """1 where y is between the limits, 0 where it is one of them."""
    parts = []
    if low > -_UNBOUNDED:
        parts.append(step.op("Sub", step.y, step.number(low)) if low else step.y)
    if high < _UNBOUNDED:
        parts.append(step.op("Sub", step.number(high), step.y))
    if not parts:
        raise Refused("it has no limits")
    return _ones(step, parts[0] if len(parts) == 1 else step.op("Mul", *parts))


def _clip(step: Step) -> dict[int, str]:
    limits = [-math.inf, math.inf]
    for at in (0, 1):
        if step.has(at + 1):
            limits[at] = float(step.value(at + 1).reshape(-1)[0])
    if limits[0] <= -_UNBOUNDED and limits[1] >= _UNBOUNDED:
        return _passed(step)
    return {0: step.op("Mul", step.gradient, _between(step, *limits))}


def _hard_sigmoid(step: Step) -> str:
    return step.scaled(_between(step, 0, 1), step.attribute("alpha", 0.2))


def _hard_swish(step: Step) -> str:
    """h + x h', where h is the hard sigmoid of x / 6 + 1 / 2."""
    gate = step.op("HardSigmoid", step.x, alpha=1 / 6, beta=0.5)
    # Behind rounding no limit may be met exactly: of x itself is asked.
    inside = step.op("Less", step.op("Abs", step.x), step.number(3))
    slope = step.op("Add", step.scaled(step.x, 1 / 3), step.number(0.5))
    return _where(step, inside, slope, gate)


def _softsign(step: Step) -> str:
    root = step.op("Sub", step.number(1), step.op("Abs", step.y))
    return step.op("Mul", root, root)


def _power_of_e(step: Step, factor: float) -> str:
    """exp(factor x^2)."""
    return step.op("Exp", step.scaled(step.op("Mul", step.x, step.x), factor))


def _erf(step: Step) -> str:
    return step.scaled(_power_of_e(step, -1), 2 / math.sqrt(math.pi))


def _gelu(step: Step) -> str:
    """Of x P(x), P being the normal distribution, or a tanh in its place."""
    if step.attribute("approximate", "none") == "tanh":
        return _gelu_tanh(step)
    error = step.op("Erf", step.scaled(step.x, 1 / math.sqrt(2)))
    share = step.scaled(step.op("Add", error, step.number(1)), 0.5)
    density = step.scaled(_power_of_e(step, -0.5), 1 / math.sqrt(2 * math.pi))
    return step.op("Add", share, step.op("Mul", step.x, density))


def _gelu_tanh(step: Step) -> str:
    """Of x (1 + t) / 2 with t = tanh(c (x + a x^3))."""
    factor, cubic = math.sqrt(2 / math.pi), 0.044715
    square = step.op("Mul", step.x, step.x)
    inner = step.op("Add", step.scaled(square, factor * cubic), step.number(factor))
    tanh = step.op("Tanh", step.op("Mul", step.x, inner))
    slope = step.op("Add", step.scaled(square, 3 * factor * cubic), step.number(factor))
    steep = step.op("Sub", step.number(1), step.op("Mul", tanh, tanh))
    rest = step.op("Mul", step.x, step.op("Mul", steep, slope))
    return step.scaled(step.op("Add", step.op("Add", tanh, step.number(1)), rest), 0.5)


def _swish(step: Step) -> str:
    """s + a y (1 - s), where s is the sigmoid of a x."""
    alpha = step.attribute("alpha", 1.0)
    gate = step.op("Sigmoid", step.scaled(step.x, alpha))
    rest = step.op("Mul", step.y, step.op("Sub", step.number(1), gate))
    return step.op("Add", gate, step.scaled(rest, alpha))


def _mish(step: Step) -> str:
    """t + x s (1 - t^2), where t is the tanh of the softplus and s the sigmoid."""
    tanh = step.op("Tanh", step.op("Softplus", step.x))
    steep = step.op("Sub", step.number(1), step.op("Mul", tanh, tanh))
    rest = step.op("Mul", step.op("Mul", step.x, step.op("Sigmoid", step.x)), steep)
    return step.op("Add", tanh, rest)


def _dropout(step: Step) -> dict[int, str]:
    if step.has(2) and step.value(2).any():
        raise Refused("it drops values at random")
    return _passed(step)


def _cast(step: Step) -> dict[int, str]:
    return {0: step.op("Cast", step.gradient, to=step.tape.elem_type(step.x))}


def _prelu_rule(step: Step) -> dict[int, str]:
    slope, shape = step.shape(step.node.input[1]), step.shape(step.x)
    if np.broadcast_shapes(slope, shape) != shape:
        raise Refused("its slopes have more dimensions")
    return {0: step.op("Mul", step.gradient, _prelu(step))}


RULES: Final[Mapping[str, Rule]] = {
    "Identity": _passed,
    "Dropout": _dropout,
    "Cast": _cast,
    "Clip": _clip,
    "PRelu": _prelu_rule,
    "Neg": lambda step: {0: step.op("Neg", step.gradient)},
    "Sqrt": lambda step: {0: step.op("Div", step.scaled(step.gradient, 0.5), step.y)},
    "Log": lambda step: {0: step.op("Div", step.gradient, step.x)},
    "Abs": _times(lambda step: step.op("Sign", step.x)),
    "Exp": _times(lambda step: step.y),
    "Reciprocal": _times(lambda step: step.op("Neg", step.op("Mul", step.y, step.y))),
    "Sin": _times(lambda step: step.op("Cos", step.x)),
    "Cos": _times(lambda step: step.op("Neg", step.op("Sin", step.x))),
    "Sigmoid": _times(_sigmoid),
    "Tanh": _times(_tanh),
    "Relu": _times(lambda step: _ones(step, step.y)),
    "LeakyRelu": _times(_leaky_relu),
    "ThresholdedRelu": _times(_thresholded_relu),
    "Elu": _times(_elu),
    "Celu": _times(_celu),
    "Selu": _times(_selu),
    "Softplus": _times(lambda step: step.op("Sigmoid", step.x)),
    "Softsign": _times(_softsign),
    "HardSigmoid": _times(_hard_sigmoid),
    "HardSwish": _times(_hard_swish),
    "Erf": _times(_erf),
    "Gelu": _times(_gelu),
    "Swish": _times(_swish),
    "Mish": _times(_mish),
}

"""Gradients of arithmetic on tensors that are broadcast: sums over the axes of a broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from mobileq.graph.gradients.step import Found, Refused, Rule, Step

if TYPE_CHECKING:
    from onnx import NodeProto


def _gathered(step: Step, gradients: Mapping[int, str]) -> dict[int, str]:
    """Each in the shape of its input."""
    shape = step.shape(step.y)
    return {
        at: step.gathered_sums(gradient, shape, step.shape(step.node.input[at]))
        for at, gradient in gradients.items()
    }


def _add(step: Step) -> dict[int, str]:
    return _gathered(step, dict.fromkeys(step.wanted, step.gradient))


def _mean(step: Step) -> dict[int, str]:
    share = step.scaled(step.gradient, 1 / len(step.node.input))
    return _gathered(step, dict.fromkeys(step.wanted, share))


def _sub(step: Step) -> dict[int, str]:
    found = dict.fromkeys(step.wanted, step.gradient)
    found = _gathered(step, found)
    return {at: step.op("Neg", value) if at else value for at, value in found.items()}


def _mul(step: Step) -> Found:
    gate = _own_gate(step)
    if gate is not None:
        # Of x s(x): s (1 + x s(-x)). ONNX Runtime has one operation for x s(-x), and of the way
        # there x alone is taken: to make s again costs less than to keep it.
        x = step.node.input[1 - gate]
        s = step.op("Sigmoid", x)
        rest = step.op("Mul", x, step.op("Sigmoid", step.scaled(x, -1)))
        slope = step.op("Add", s, step.op("Mul", s, rest))
        return {1 - gate: step.op("Mul", step.gradient, slope), gate: None}
    return _gathered(
        step,
        {at: step.op("Mul", step.gradient, step.node.input[1 - at]) for at in step.wanted},
    )


def _is_sigmoid(node: NodeProto) -> bool:
    return node.op_type == "Sigmoid" and node.domain in ("", "ai.onnx")


def _own_gate(step: Step) -> int | None:
    """The position of the sigmoid of the other factor, if nobody asks for its gradient."""
    names = step.node.input
    for at, name in enumerate(names):
        maker = step.tape.makers.get(name)
        if maker is not None and _is_sigmoid(maker) and maker.input[0] == names[1 - at]:
            return None if name in step.tape.asked or len(step.wanted) < 2 else at
    return None


def _div(step: Step) -> dict[int, str]:
    """g / b, and -g y / b."""
    quotient = step.op("Div", step.gradient, step.node.input[1])
    found = {0: quotient} if 0 in step.wanted else {}
    if 1 in step.wanted:
        found[1] = step.op("Neg", step.op("Mul", quotient, step.y))
    return _gathered(step, found)


def _pow(step: Step) -> dict[int, str]:
    if 1 in step.wanted:
        raise Refused("its exponent is computed")
    exponent = step.value(1).astype(np.float64)
    if np.all(exponent == 2):
        derivative = step.scaled(step.x, 2)
    else:
        power = step.op("Pow", step.x, step.constant(exponent - 1))
        derivative = step.op("Mul", power, step.constant(exponent))
    return _gathered(step, {0: step.op("Mul", step.gradient, derivative)})


def _extreme(step: Step) -> dict[int, str]:
    """Of Max and Min: to the first of the inputs that is the result."""
    found = {}
    zero, before = step.number(0), ""
    for at, name in enumerate(step.node.input):
        same = step.op("Equal", name, step.y)
        mine = step.op("And", same, step.op("Not", before)) if before else same
        before = step.op("Or", before, same) if before else same
        if at in step.wanted:
            found[at] = step.op("Where", mine, step.gradient, zero)
    return _gathered(step, found)


def _where(step: Step) -> dict[int, str]:
    zero = step.tape.number(0, step.tape.dtype(step.y))
    both = {1: (step.gradient, zero), 2: (zero, step.gradient)}
    return _gathered(step, {at: step.op("Where", step.x, *both[at]) for at in step.wanted})


RULES: Final[Mapping[str, Rule]] = {
    "Add": _add,
    "Sum": _add,
    "Mean": _mean,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Pow": _pow,
    "Max": _extreme,
    "Min": _extreme,
    "Where": _where,
    "Expand": _add,
}

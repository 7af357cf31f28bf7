"""Gelu by tanh as one op, which has an integer kernel.

    x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))

Exporters write it in eight steps; in integers it is one look-up in a table. LiteRT 2.1.2 computes
it in float by erf whatever the file says, 5e-4 off, so that files of floats keep the steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.wiring import Wiring

_STEPS_BEFORE, _STEPS_BEHIND = 6, 4
_POINTS = np.linspace(-4, 4, 33)
_TOLERANCE = 1e-5

Values = NDArray[Any]


def join_gelus(model: Any) -> bool:
    """Turn the steps of each Gelu by tanh of a float file into a GELU.

    They are known by what they compute, in whatever order the exporter wrote them.

    Returns:
        Whether there was any.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = False
    for op in contents.ops_of(model, "TANH"):
        ends = _ends(Wiring(model), op)
        if ends is None:
            continue
        source, last = ends
        last.opcodeIndex = editing.opcode_index(model, "GELU")
        last.builtinOptionsType = schema.BuiltinOptions.GeluOptions
        last.builtinOptions = schema.GeluOptionsT()
        last.builtinOptions.approximate = True
        steps, last.inputs = list(map(int, last.inputs)), [source]
        for index in steps:
            _drop_unused(model, index)
        changed = True
    return changed


def _ends(wiring: Wiring, tanh: Any) -> tuple[int, Any] | None:
    """What the Gelu around a TANH is of, and the op that gives it."""
    wanted = _POINTS / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (_POINTS + 0.044715 * _POINTS**3)))
    for source in _before(wiring, int(tanh.inputs[0]), _STEPS_BEFORE):
        given = int(tanh.outputs[0])
        for _ in range(_STEPS_BEHIND):
            takers = wiring.takers(given)
            if len(takers) != 1:
                break
            given = int(takers[0].outputs[0])
            found = _value(wiring, given, source, _STEPS_BEFORE + _STEPS_BEHIND)
            if found is not None and np.allclose(found, wanted, atol=_TOLERANCE):
                return source, takers[0]
    return None


def _before(wiring: Wiring, index: int, steps: int) -> Iterator[int]:
    """Tensors from which one is made, itself first, each a few times."""
    yield index
    maker = wiring.makers.get(index)
    if maker is not None and steps:
        for each in map(int, maker.inputs):
            if wiring.constant(each) is None:
                yield from _before(wiring, each, steps - 1)


def _value(wiring: Wiring, index: int, source: int, steps: int) -> Values | None:
    """What a tensor is where `source` is `_POINTS`; None where more goes into it than that."""
    if index == source:
        return _POINTS
    constant = wiring.constant(index)
    if constant is not None:
        return constant.astype(np.float64).reshape(1) if constant.size == 1 else None
    op = wiring.makers.get(index)
    if op is None or not steps or _is_limited(op):
        return None
    taken = [_value(wiring, int(each), source, steps - 1) for each in op.inputs]
    values = [each for each in taken if each is not None]
    if len(values) < len(taken):
        return None
    match wiring.kind(op):
        case "TANH":
            return np.tanh(values[0])
        case "ADD":
            return values[0] + values[1]
        case "MUL":
            return values[0] * values[1]
        case "POW":
            return values[0] ** values[1]
    return None


def _is_limited(op: Any) -> bool:
    return bool(getattr(op.builtinOptions, "fusedActivationFunction", False))


def _drop_unused(model: Any, index: int) -> None:
    """Remove the op that gives a tensor which nothing needs any more, and what was for it alone."""
    wiring = Wiring(model)
    op = wiring.makers.get(index)
    if op is None or not wiring.is_unused(index):
        return
    wiring.ops.remove(op)
    for each in map(int, op.inputs):
        _drop_unused(model, each)

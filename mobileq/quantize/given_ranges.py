"""Ranges of the tensors between an op and the pair behind it, in models that came quantized.

NNCF and TensorRT's tools put a pair where a convolution takes its input, and none between the
convolution and its activation function: their runtimes compute both in one kernel. TFLite's and
MNN's integer kernels need a scale there as well. The pair behind says which one: values whose
results it can't tell apart need not be told apart before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from mobileq.graph.op_facts import MOVING
from mobileq.graph.outline import constants, consumers
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    Ranges = Mapping[str, TensorRange]

_WITHIN = MOVING | {"Resize", "Upsample"}
"""What they give lies within the range of what they take."""
_SAME = _WITHIN | {"Relu", "Clip", "Concat", "Pad"}
"""What they take, as far as it shows in their result, lies within the range of that. It doesn't
where values are averaged (AveragePool)."""
_SIGMOID_RANGE = TensorRange(min=0.0, max=255 / 256)
"""The one that TFLite's kernel insists on."""
_STEPS = 255


def ranges_between(
    model: ModelProto, known: Ranges, excluded: Collection[str] = ()
) -> dict[str, TensorRange]:
    """Of tensors without one, where what reads them tells it.

    Through a SiLU or HardSwish, a Relu or Clip, a concatenation, what only moves values,
    and an addition whose other side has a range.

    Args:
        model: The float model.
        known: Ranges by tensor.
        excluded: Tensors that are meant to have none.
    """
    ranges = dict(known)
    readers, fixed = consumers(model.graph), _added_constants(model)
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type in _WITHIN and node.input[0] in ranges:
            for name in node.output:
                ranges.setdefault(name, ranges[node.input[0]])
    for node in reversed(model.graph.node):
        for name in node.output:
            if name not in ranges and name not in outputs and name not in excluded:
                ranges.update(_told_by(name, readers.get(name, []), ranges, fixed))
    return {name: found for name, found in ranges.items() if name not in known}


def _added_constants(model: ModelProto) -> dict[str, TensorRange]:
    """Of what an Add adds: the bias of a product."""
    values = constants(model.graph)
    added = {name for node in model.graph.node if node.op_type == "Add" for name in node.input}
    return {
        name: TensorRange(min=float(values[name].min()), max=float(values[name].max()))
        for name in added.intersection(values)
        if values[name].size
    }


def _told_by(
    name: str, readers: list[NodeProto], ranges: dict[str, TensorRange], fixed: Ranges
) -> dict[str, TensorRange]:
    """The range of `name`, and of the sigmoid of it; nothing where a reader can't tell.

    Args:
        fixed: Of constants.
    """
    gate = next((node for node in readers if node.op_type in _GATES), None)
    told: list[TensorRange] = []
    for node in readers:
        result = ranges.get(node.output[0])
        if node is gate:
            continue
        if result is None:
            return {}
        if gate is not None and node.op_type == "Mul" and gate.output[0] in node.input:
            told.append(_before(result, *_GATES[gate.op_type]))
        elif node.op_type in _SAME:
            told.append(result)
        elif node.op_type == "HardSwish":
            told.append(_before(result, *_GATES["HardSigmoid"]))
        elif node.op_type == "Add":
            side = next((each for each in node.input if each != name), "")
            other = ranges.get(side, fixed.get(side))
            if other is None:
                return {}
            told.append(TensorRange(min=result.min - other.max, max=result.max - other.min))
        else:
            return {}
    if not told:
        return {}
    widest = TensorRange(min=min(each.min for each in told), max=max(each.max for each in told))
    if gate is None or gate.output[0] in ranges:
        return {name: widest}
    return {name: widest, gate.output[0]: _SIGMOID_RANGE}


def _silu(value: float) -> float:
    return value / (1.0 + math.exp(-value))


def _hard_swish(value: float) -> float:
    return value * min(max(value / 6.0 + 0.5, 0.0), 1.0)


_GATES: Final = {"Sigmoid": (_silu, -1.2784645), "HardSigmoid": (_hard_swish, -1.5)}
"""Of x * gate(x): the product as a function of x, and where it is smallest."""


def _before(result: TensorRange, function: Callable[[float], float], lowest: float) -> TensorRange:
    """The values for which `function`, smallest at `lowest`, gives what `result` tells from 0."""
    half_step = (result.max - result.min) / _STEPS / 2
    high = _solve(function, max(result.max, 0.0), 0.0, max(result.max, 0.0) + 3.0)
    if result.min > -half_step or function(lowest) > -half_step:
        return TensorRange(min=0.0, max=high)
    return TensorRange(min=_solve(function, -half_step, lowest, -100.0), max=high)


def _solve(function: Callable[[float], float], wanted: float, near: float, far: float) -> float:
    """Where a function that rises from `near` to `far` takes a value."""
    for _ in range(60):
        middle = (near + far) / 2
        if function(middle) < wanted:
            near = middle
        else:
            far = middle
    return far

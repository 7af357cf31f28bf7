"""Writes hard swishes and hard sigmoids in operators that have integer kernels.

Exporters write a hard swish in three ways: HardSwish (from opset 14 on), x * HardSigmoid(x), and
x * clip(x + 3, 0, 6) / 6. TFLite has one kernel for the whole. Of a HardSigmoid alone onnx2tf makes
a RELU_0_TO_1, which ai-edge-quantizer 0.5.1 leaves in float; clipping to 0..6 is part of its ADD.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mobileq.graph.outline import attribute, constants, needed_nodes, opset, producers
from mobileq.graph.rewrites.opset import raised

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_HARD_SWISH_OPSET = 14
_RAISED = 13
_TOLERANCE = 1e-4
"""Of a sixth, which exporters round differently."""


def rewrite_hard_functions(model: ModelProto) -> ModelProto:
    """A copy with HardSwish for each hard swish, and Add, Clip and Mul for other HardSigmoids; the
    model itself where there is neither.

    Below opset 14 there is no HardSwish: older models become newer ones for it. To a detector 14
    differs from 13 in nothing else.
    """
    from onnx import ModelProto

    if not any(node.op_type in ("HardSigmoid", "Clip") for node in model.graph.node):
        return model
    parts = _HardFunctions(model)
    newer = raised(model, _RAISED) if any(map(parts.swished, model.graph.node)) else model
    copy = ModelProto()
    copy.CopyFrom(newer)
    functions = _HardFunctions(copy)
    nodes: list[NodeProto] = []
    for node in copy.graph.node:
        swished = functions.swished(node) if opset(copy) >= _RAISED else None
        if swished is not None:
            nodes.append(_hard_swish(node, swished))
        elif node.op_type == "HardSigmoid":
            nodes += functions.spelt(node)
        elif newer is not model and node.op_type == "Constant":
            functions.store(node.output[0])
        else:
            nodes.append(node)
    nodes, _ = needed_nodes(nodes, (value.name for value in copy.graph.output))
    if any(node.op_type == "HardSwish" for node in nodes):
        for item in copy.opset_import:
            if item.domain in ("", "ai.onnx"):
                item.version = max(item.version, _HARD_SWISH_OPSET)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


class _HardFunctions:
    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._makers = producers(model.graph)
        self._constants = constants(model.graph)

    def swished(self, node: NodeProto) -> str | None:
        """x, where the node gives x * hard_sigmoid(x) with the slope 1/6."""
        if node.op_type == "Div":
            divided = _near(self._number(node.input[1]), 6.0)
            return self._clipped(self._makers.get(node.input[0])) if divided else None
        for one, other in _factors(node):
            gate = self._makers.get(other)
            if gate is not None and gate.op_type == "HardSigmoid" and gate.input[0] == one:
                slope, height = _line(gate)
                return one if _near(slope, 1 / 6) and _near(height, 0.5) else None
            if _near(self._number(other), 1 / 6):
                return self._clipped(self._makers.get(one))
        return None

    def _clipped(self, node: NodeProto | None) -> str | None:
        """x, where the node gives x * clip(x + 3, 0, 6)."""
        for one, other in _factors(node):
            clip = self._makers.get(other)
            if clip is None or clip.op_type != "Clip":
                continue
            add = self._makers.get(clip.input[0])
            if add is None or add.op_type != "Add" or one not in add.input:
                continue
            limits = [self._number(name) for name in clip.input[1:]]
            if limits == [0.0, 6.0] and 3.0 in map(self._number, add.input):
                return one
        return None

    def _number(self, name: str) -> float | None:
        value = self._constants.get(name)
        return float(value.item()) if value is not None and value.size == 1 else None

    def spelt(self, node: NodeProto) -> Iterator[NodeProto]:
        """max(0, min(1, a x + b)) as clip(6 a x + 6 b, 0, 6) / 6."""
        from onnx import helper

        slope, height = (6 * value for value in _line(node))
        line, result = node.input[0], node.output[0]
        if not _near(slope, 1.0):
            line = f"{result}/slope"
            factor = self._constant(f"{line}/factor", slope, (1,))
            yield helper.make_node("Mul", [node.input[0], factor], [line], line)
        added, clipped = f"{result}/added", f"{result}/clipped"
        term = self._constant(f"{added}/term", height, (1,))
        limits = [self._constant(f"{clipped}/{limit}", limit, ()) for limit in (0.0, 6.0)]
        sixth = self._constant(f"{result}/sixth", 1 / 6, (1,))
        yield helper.make_node("Add", [line, term], [added], added)
        yield helper.make_node("Clip", [added, *limits], [clipped], clipped)
        yield helper.make_node("Mul", [clipped, sixth], [result], node.name)

    def store(self, name: str) -> None:
        """Have a constant among the initializers: the version converter leaves nodes of some."""
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(self._constants[name], name))

    def _constant(self, name: str, value: float, shape: tuple[int, ...]) -> str:
        import numpy as np

        self._constants[name] = np.full(shape, value, np.float32)
        self.store(name)
        return name


def _hard_swish(node: NodeProto, source: str) -> NodeProto:
    from onnx import helper

    return helper.make_node("HardSwish", [source], list(node.output), node.name)


def _factors(node: NodeProto | None) -> tuple[tuple[str, str], ...]:
    if node is None or node.op_type != "Mul":
        return ()
    one, other = node.input
    return (one, other), (other, one)


def _line(node: NodeProto) -> tuple[float, float]:
    """Slope and height at 0 of a HardSigmoid."""
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    return 0.2 if alpha is None else alpha.f, 0.5 if beta is None else beta.f


def _near(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=_TOLERANCE)

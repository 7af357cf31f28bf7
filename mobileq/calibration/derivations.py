"""Statistics that follow from those of another tensor, without looking at the tensor itself.

Reading every activation costs more than computing it. But a sigmoid's extremes are those of its
input, mapped; so are the values of a subsample. What can be told this way need not be an output of
the instrumented graph, which also lets ONNX Runtime keep its fused kernels (x * sigmoid(x)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.calibration.observers import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import NodeProto

    Array = NDArray[np.float32]


@dataclass(frozen=True)
class Pointwise:
    """`output = function(source)`, value by value, of a function that rises everywhere."""

    source: str
    function: Callable[[Array], Array]

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    def derive(self, batches: Mapping[str, Batch]) -> Batch:
        batch = batches[self.source]
        return Batch(
            self.function(batch.values),
            self.function(batch.low),
            self.function(batch.high),
            batch.value_count,
        )


@dataclass(frozen=True)
class Gated:
    """`output = source * gate`, where the gate is a rising function of the source from 0 to 1.

    The product falls up to `valley` and rises from there. So over an interval it is largest at an
    end; and smallest at an end, or `bottom` where the interval spans the valley.
    """

    source: str
    gate: str
    valley: float
    bottom: float

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source, self.gate)

    def derive(self, batches: Mapping[str, Batch]) -> Batch:
        import numpy as np

        source, gate = batches[self.source], batches[self.gate]
        low, high = source.low * gate.low, source.high * gate.high
        spans = (source.low < self.valley) & (source.high > self.valley)
        return Batch(
            source.values * gate.values,
            np.where(spans, np.float32(self.bottom), np.minimum(low, high)),
            np.maximum(low, high),
            source.value_count,
        )


@dataclass(frozen=True)
class Joined:
    """A concatenation along axis 1 of tensors with channels."""

    sources: tuple[str, ...]

    def derive(self, batches: Mapping[str, Batch]) -> Batch:
        import numpy as np

        parts = [batches[source] for source in self.sources]
        return Batch(
            np.concatenate([part.values for part in parts], axis=1),
            np.concatenate([part.low for part in parts], axis=1),
            np.concatenate([part.high for part in parts], axis=1),
            sum(part.value_count for part in parts),
        )


@dataclass(frozen=True)
class Same:
    """The values of another tensor, maybe in another order."""

    source: str

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    def derive(self, batches: Mapping[str, Batch]) -> Batch:
        return batches[self.source]


Derivation = Pointwise | Gated | Joined | Same


def pointwise(
    node: NodeProto, producers: Mapping[str, NodeProto], constants: Mapping[str, NDArray[Any]]
) -> Pointwise | Gated | None:
    """The node as a function of one tensor, if it is one of those known.

    Args:
        node: Of the standard operators, with one output.
        producers: Tensor name -> the node that makes it.
        constants: Tensor name -> value of the constant tensors.
    """
    source = node.input[0]
    if node.op_type == "Sigmoid":
        return Pointwise(source, sigmoid)
    if node.op_type == "Tanh":
        return Pointwise(source, _tanh)
    if node.op_type == "Relu":
        return Pointwise(source, _clip(0.0, None))
    if node.op_type == "LeakyRelu":
        return _leaky_relu(source, _number(node, "alpha", 0.01))
    if node.op_type == "Clip":
        return _clip_node(node, constants)
    if node.op_type == "HardSigmoid":
        alpha, beta = _number(node, "alpha", 0.2), _number(node, "beta", 0.5)
        return Pointwise(source, _hard_sigmoid(alpha, beta)) if alpha > 0 else None
    if node.op_type == "Mul":
        return _gate(node, producers)
    return None


def _gate(node: NodeProto, producers: Mapping[str, NodeProto]) -> Gated | None:
    """x * sigmoid(x) (SiLU) and x * hard_sigmoid(x)."""
    for source, gate in (tuple(node.input), tuple(reversed(node.input))):
        producer = producers.get(gate)
        if producer is None or producer.domain not in ("", "ai.onnx"):
            continue
        if producer.input[:1] != [source]:
            continue
        if producer.op_type == "Sigmoid":
            return Gated(source, gate, _SILU_VALLEY, _SILU_BOTTOM)
        if producer.op_type == "HardSigmoid":
            alpha, beta = _number(producer, "alpha", 0.2), _number(producer, "beta", 0.5)
            if alpha > 0 and 0 <= beta <= 1:  # else it falls again or has two valleys
                return Gated(source, gate, -beta / (2 * alpha), -beta * beta / (4 * alpha))
    return None


_SILU_VALLEY, _SILU_BOTTOM = -1.2784645427610738, -0.27846454276107374
"""Where x * sigmoid(x) is smallest, the root of 1 + x * (1 - sigmoid(x)), and its value there."""


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), in float32."""
    import numpy as np

    # With tanh nothing overflows, however far from zero the values are.
    result: Array = np.tanh(values * np.float32(0.5))
    result *= np.float32(0.5)
    result += np.float32(0.5)
    return result


def _tanh(values: Array) -> Array:
    import numpy as np

    result: Array = np.tanh(values)
    return result


def _hard_sigmoid(alpha: float, beta: float) -> Callable[[Array], Array]:
    import numpy as np

    def function(values: Array) -> Array:
        result: Array = np.clip(values * np.float32(alpha) + np.float32(beta), 0, 1)
        return result

    return function


def _clip(low: float | None, high: float | None) -> Callable[[Array], Array]:
    import numpy as np

    def function(values: Array) -> Array:
        result: Array = np.clip(values, low, high)
        return result

    return function


def _leaky_relu(source: str, alpha: float) -> Pointwise | None:
    import numpy as np

    if not 0 <= alpha <= 1:
        return None

    def function(values: Array) -> Array:
        result: Array = np.maximum(values, values * np.float32(alpha))
        return result

    return Pointwise(source, function)


def _clip_node(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> Pointwise | None:
    bounds: list[float | None] = [None, None]
    for item in node.attribute:  # before opset 11
        if item.name in ("min", "max"):
            bounds[item.name == "max"] = item.f
    for index, name in enumerate(node.input[1:3]):
        if name and name not in constants:
            return None
        if name:
            bounds[index] = float(constants[name].reshape(-1)[0])
    low, high = bounds
    if low is None and high is None:
        return None
    return Pointwise(node.input[0], _clip(low, high))


def _number(node: NodeProto, name: str, default: float) -> float:
    return next((float(item.f) for item in node.attribute if item.name == name), default)

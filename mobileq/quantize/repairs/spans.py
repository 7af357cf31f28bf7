"""Where the channels between convolutions can be scaled without changing what the model computes.

If f(s x) = s f(x) for all s > 0, a channel that one convolution makes can be multiplied by s there
and divided by s in the weights of the convolutions that take it (Nagel et al. 2019, section 4.1).
That holds for ReLU, LeakyReLU, PReLU, pooling and resizing. It does not hold for SiLU and
HardSwish, x * g(x). But where such a gate gets its own copy of x, with the scale taken out again,
(s x) * g(x) is s times the original: one cheap op more, and the channels are free to be scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.op_facts import Fact, ops_with

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

    Array = NDArray[np.float32]

_HOMOGENEOUS = ops_with(Fact.HOMOGENEOUS)
_GATES = frozenset({"Sigmoid", "HardSigmoid"})
_UNSCALED = "/unscaled"


@dataclass(frozen=True)
class Span:
    """Channels between convolutions.

    `source` is the output of the convolution that makes them, `tensors` all that they pass through
    (it is the first), `users` the outputs of the convolutions that take them, `gates` the outputs
    of the sigmoids g in the products x * g(x) on their way.
    """

    source: str
    tensors: tuple[str, ...]
    users: tuple[str, ...]
    gates: tuple[str, ...]


class Channels:
    """A model whose spans can be scaled. Works on `model` itself.

    `spans` are all that it has, in the order of their sources.
    """

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._takers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self._takers.setdefault(name, []).append(node)
        outputs = {value.name for value in model.graph.output}
        found = (self._span(node, outputs) for node in model.graph.node)
        self.spans = tuple(span for span in found if span is not None)

    def weights(self, output: str) -> Array:
        """Of the convolution that gives `output`: [outputs, inputs / group, ...]."""
        return self._array(self._makers[output].input[1])

    def columns(self, output: str) -> Array:
        """The same weights by input channel: [inputs, outputs / group * height * width]."""
        import numpy as np

        weights, group = self.weights(output), self.group(output)
        split = weights.reshape(group, -1, weights.shape[1], *weights.shape[2:])
        return np.moveaxis(split, 2, 1).reshape(group * weights.shape[1], -1)

    def group(self, output: str) -> int:
        """Of the convolution that gives `output`."""
        return _group(self._makers[output])

    def scale(self, span: Span, factors: NDArray[Any]) -> None:
        """Multiply the span's channels by `factors` [channels], all positive."""
        import numpy as np

        factors = factors.astype(np.float32)
        source = self._makers[span.source]
        for name in source.input[1:]:
            if name:
                values = self._array(name)
                self._set(name, values * factors.reshape(-1, *[1] * (values.ndim - 1)))
        for user in span.users:
            weights, group = self.weights(user), self.group(user)
            rows = np.repeat(factors.reshape(group, -1), len(weights) // group, axis=0)
            rows = rows.reshape(*rows.shape, *[1] * (weights.ndim - 2))
            self._set(self._makers[user].input[1], weights / rows)
        for gate in span.gates:
            self._feed_unscaled(self._makers[gate], factors)

    def _span(self, node: NodeProto, outputs: set[str]) -> Span | None:
        if not self._is_ours(node):
            return None
        tensors, users, gates = [node.output[0]], [], []
        for tensor in tensors:  # grows meanwhile
            if tensor in outputs:
                return None
            takers = self._takers.get(tensor, [])
            product = self._product(tensor, takers)
            if product is not None:
                gates.append(product[0])
                tensors.append(product[1])
                continue
            for taker in takers:
                if self._is_ours(taker) and tensor == taker.input[0]:
                    users.append(taker.output[0])
                elif taker.op_type in _HOMOGENEOUS and self._is_alone(taker, tensor):
                    tensors.append(taker.output[0])
                else:
                    return None
        return Span(node.output[0], tuple(tensors), tuple(users), tuple(gates)) if users else None

    def _product(self, tensor: str, takers: list[NodeProto]) -> tuple[str, str] | None:
        """(g(x), x * g(x)) where that is all that becomes of x, `tensor`."""
        gates = [taker for taker in takers if taker.op_type in _GATES]
        products = [taker for taker in takers if taker.op_type == "Mul"]
        if len(takers) != 2 or len(gates) != 1 or len(products) != 1:
            return None
        gate, product = gates[0].output[0], products[0]
        if sorted(product.input) != sorted((tensor, gate)) or len(self._takers[gate]) != 1:
            return None
        return gate, product.output[0]

    def _is_ours(self, node: NodeProto) -> bool:
        """A 2-D convolution whose weights are constant and its own."""
        if node.op_type != "Conv":
            return False
        own = [name for name in node.input[1:] if name]
        known = all(name in self._constants and len(self._takers[name]) == 1 for name in own)
        return known and len(self._constants[own[0]].dims) == 4

    def _is_alone(self, node: NodeProto, tensor: str) -> bool:
        """Takes nothing but `tensor` and constants."""
        others = {name for name in node.input if name and name != tensor}
        return others <= set(self._constants) and len(node.output) == 1

    def _feed_unscaled(self, gate: NodeProto, factors: Array) -> None:
        from onnx import helper, numpy_helper

        scaled = gate.input[0]
        # A tensor keeps its name; a second scaling of the same channels goes into the same op.
        plain = f"{scaled}{_UNSCALED}" if not scaled.endswith(_UNSCALED) else scaled
        name = f"{plain}/factors"
        if name in self._constants:
            self._set(name, self._array(name) / factors.reshape(-1, 1, 1, 1))
            return
        tensor = numpy_helper.from_array((1.0 / factors).reshape(-1, 1, 1, 1), name)
        self._constants[name] = self._graph.initializer.add()
        self._constants[name].CopyFrom(tensor)
        # A depthwise convolution: its 8-bit weights have a scale per channel, a product's have not.
        node = helper.make_node(
            "Conv", [scaled, name], [plain], name=plain, group=len(factors), kernel_shape=[1, 1]
        )
        at = next(at for at, each in enumerate(self._graph.node) if each == gate)
        gate.input[0] = plain
        _copy_type(self._graph, scaled, plain)
        self._graph.node.insert(at, node)

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        result: Array = numpy_helper.to_array(self._constants[name])
        return result

    def _set(self, name: str, values: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._constants[name].CopyFrom(numpy_helper.from_array(values.astype("float32"), name))


def unscaled_tensors(model: ModelProto) -> tuple[str, ...]:
    """What `Channels.scale` may add, for the sigmoids between convolutions."""
    gates = {gate for span in Channels(model).spans for gate in span.gates}
    nodes = (node for node in model.graph.node if node.output[0] in gates)
    return tuple(f"{node.input[0]}{_UNSCALED}" for node in nodes)


def _group(node: NodeProto) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "group"), 1)


def _copy_type(graph: GraphProto, known: str, added: str) -> None:
    for value in graph.value_info:
        if value.name == known:
            graph.value_info.add().CopyFrom(value)
            graph.value_info[-1].name = added
            return

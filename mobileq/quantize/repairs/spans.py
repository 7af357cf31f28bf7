"""Where the channels between convolutions can be scaled without changing what the model computes.

If f(s x) = s f(x) for all s > 0, a channel that one convolution makes can be multiplied by s there
and divided by s in the weights of the convolutions that take it (Nagel et al. 2019, section 4.1).
That holds for ReLU, LeakyReLU, PReLU, pooling, resizing, and products with what is computed apart
(squeeze and excitation); concatenations, splits and channel shuffles put channels elsewhere. It
does not hold for SiLU and HardSwish, x * g(x). But where such a gate gets its own copy of x, with
the scale taken out again, (s x) * g(x) is s times the original: one cheap op more, and the channels
are free to be scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.op_facts import Fact, ops_with
from mobileq.graph.outline import attribute, dims, producers, reads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

    Array = NDArray[np.float32]
    Places = NDArray[np.intp]

OTHERS: Final = -1
"""A channel that is not of the span."""
_HOMOGENEOUS = ops_with(Fact.HOMOGENEOUS)
_GATES = frozenset({"Sigmoid", "HardSigmoid"})
_MOVED = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Transpose", "Split", "Gather"})
_UNSCALED = "/unscaled"
_CLIPPED = "/clipped"
_RANK = 4


@dataclass(frozen=True, eq=False)
class Span:
    """Channels between convolutions.

    Attributes:
        source: The output of the convolution that makes them.
        users: Outputs of the convolutions that take them.
        gates: Outputs of the sigmoids g in the products x * g(x) on their way, and of HardSwish,
            which is such a product.
        places: By tensor that they pass through, the source first: which of them each channel is,
            `OTHERS` for none. Of tensors that have no channels (in a shuffle) each value.
    """

    source: str
    users: tuple[str, ...]
    gates: tuple[str, ...]
    places: Mapping[str, Places]

    @property
    def is_shared(self) -> bool:
        """Whether channels of others are beside these in some tensor."""
        return any((where == OTHERS).any() for where in self.places.values())

    def spread(self, tensor: str, factors: NDArray[Any]) -> NDArray[Any]:
        """The factors of a tensor's channels: the span's own, and ones."""
        import numpy as np

        places = self.places[tensor]
        return np.where(places == OTHERS, factors.dtype.type(1), factors[places])


class Channels:
    """A model whose spans can be scaled. Works on `model` itself.

    `spans` are all that it has, in the order of their sources.
    """

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = producers(model.graph)
        walks = _Walks(model.graph)
        found = (walks.span(node) for node in model.graph.node)
        self.spans = tuple(span for span in found if span is not None)

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """What spans begin with, and what their users take."""
        taken = {self.taken(user) for span in self.spans for user in span.users}
        return tuple(sorted(taken.union(span.source for span in self.spans)))

    def taken(self, output: str) -> str:
        """What the convolution that gives `output` takes."""
        return str(self._makers[output].input[0])

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
        factors = factors.astype("float32")
        gates = [self._makers[name] for name in span.gates]
        # x * clip(x + 3, 0, 6) is six times a hard swish.
        is_hard = any(gate.op_type == "HardSwish" for gate in gates)
        made = factors / 6 if is_hard else factors
        source = self._makers[span.source]
        for name in source.input[1:]:
            if name:
                values = self._array(name)
                self._set(name, values * made.reshape(-1, *[1] * (values.ndim - 1)))
        for user in span.users:
            self._divide(user, span.spread(self.taken(user), factors))
        for gate in gates:
            taken = gate.input[0]
            if taken not in span.places:  # of channels beside these, which are scaled already
                self._divide(taken, span.spread(self.taken(taken), factors))
                continue
            own = made if taken == span.source else factors
            self._feed_unscaled(gate, span.spread(taken, own))

    def _divide(self, user: str, factors: Array) -> None:
        """The weights that take each channel by its factor."""
        import numpy as np

        weights, group = self.weights(user), self.group(user)
        rows = np.repeat(factors.reshape(group, -1), len(weights) // group, axis=0)
        rows = rows.reshape(*rows.shape, *[1] * (weights.ndim - 2))
        self._set(self._makers[user].input[1], weights / rows)

    def _feed_unscaled(self, gate: NodeProto, factors: Array) -> None:
        """Have a gate take what it took before its channels were scaled.

        A depthwise convolution, whose 8-bit weights have a scale per channel: a product's have not.
        """
        from onnx import helper

        scaled = gate.input[0]
        plain, name = f"{scaled}{_UNSCALED}", f"{scaled}{_UNSCALED}/factors"
        self._add(name, (1.0 / factors).reshape(-1, 1, 1, 1))
        taken = [scaled, name]
        if gate.op_type == "HardSwish":
            taken.append(f"{plain}/three")
            self._add(taken[-1], (0 * factors) + 3)
        size = len(factors)
        made = [helper.make_node("Conv", taken, [plain], plain, group=size, kernel_shape=[1, 1])]
        at = next(at for at, each in enumerate(self._graph.node) if each == gate)
        if gate.op_type == "HardSwish":
            made += self._hard_swish(scaled, plain, gate)
            del self._graph.node[at]
        else:
            gate.input[0] = plain
        for node in reversed(made):
            if node.output[0] not in gate.output:
                _copy_type(self._graph, scaled, node.output[0])
            self._graph.node.insert(at, node)
        self._makers[plain] = self._graph.node[at]

    def _hard_swish(self, scaled: str, plain: str, gate: NodeProto) -> list[NodeProto]:
        """Of x scaled and x + 3; what a target clips by a range, or in the convolution's kernel."""
        from onnx import helper

        limits = [f"{plain}/limit{limit}" for limit in (0, 6)]
        for name, limit in zip(limits, (0, 6), strict=True):
            self._add(name, limit)
        clipped = f"{plain}{_CLIPPED}"
        return [
            helper.make_node("Clip", [plain, *limits], [clipped], clipped),
            helper.make_node("Mul", [scaled, clipped], list(gate.output), gate.name),
        ]

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        result: Array = numpy_helper.to_array(self._constants[name])
        return result

    def _set(self, name: str, values: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._constants[name].CopyFrom(numpy_helper.from_array(values.astype("float32"), name))

    def _add(self, name: str, values: NDArray[Any] | float) -> None:
        import numpy as np

        self._constants[name] = self._graph.initializer.add()
        self._set(name, np.asarray(values))


class _Walks:
    """Follows what convolutions give through a graph."""

    def __init__(self, graph: GraphProto) -> None:
        self._nodes = graph.node
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._takers: dict[str, list[int]] = {}
        for at, node in enumerate(graph.node):
            for name in dict.fromkeys(reads(node)):
                self._takers.setdefault(name, []).append(at)
        self._outputs = {value.name for value in graph.output}
        known = (*graph.value_info, *graph.input, *graph.output)
        self._shapes = {value.name: dims(value) or () for value in known}

    def span(self, node: NodeProto) -> Span | None:
        """Of what this node gives; None where it can't be scaled, or no convolution takes it."""
        import numpy as np

        if not self._is_ours(node) or node.output[0] in self._outputs:
            return None
        source = node.output[0]
        size = self._constants[node.input[1]].dims[0]
        places, users, gates = {source: np.arange(size)}, [], []
        waiting = set(self._takers.get(source, ()))
        while waiting:
            first = min(waiting)
            waiting.remove(first)
            taker = self._nodes[first]
            if self._is_ours(taker) and places[taker.input[0]].ndim == 1:
                users.append(taker.output[0])
                continue
            product = self._product(taker, source)
            if product is not None:
                gates.append(taker.output[0])
                moved = {product: places[taker.input[0]]}
            else:
                moved = self._moved(taker, places)
            if not moved or not self._outputs.isdisjoint(moved):
                return None
            for name, where in moved.items():
                if name not in places and (where != OTHERS).any():
                    places[name] = where
                    waiting.update(self._takers.get(name, ()))
        return Span(source, tuple(users), tuple(gates), places) if users else None

    def _product(self, node: NodeProto, source: str) -> str | None:
        """x * g(x), where the node is its g(x) or all of it, and nothing else becomes of x."""
        if node.op_type not in (*_GATES, "HardSwish"):
            return None
        takers, given = self._takers[node.input[0]], str(node.output[0])
        if node.op_type == "HardSwish":
            return given if node.input[0] == source and len(takers) == 1 else None
        for product in (self._nodes[at] for at in takers):
            factors = sorted((node.input[0], given))
            if product.op_type == "Mul" and sorted(product.input) == factors:
                alone = len(takers) == 2 and len(self._takers[given]) == 1
                return str(product.output[0]) if alone else None
        return None

    def _moved(self, node: NodeProto, places: Mapping[str, Places]) -> dict[str, Places]:
        """What the node gives, with where the channels are in it; nothing where they are lost."""
        taken = [name for name in node.input if name in places]
        if all(name in places for name in node.output):
            return {name: places[name] for name in node.output}
        if node.op_type == "Concat":
            return self._joined(node, places)
        if len(taken) != 1:
            return {}
        where, given = places[taken[0]], node.output[0]
        if node.op_type in _HOMOGENEOUS and where.ndim == 1:
            others = {name for name in node.input if name and name != taken[0]}
            alone = others <= self._constants.keys() and len(node.output) == 1
            return {given: where} if alone else {}
        if node.op_type == "Mul":
            shapes = [self._shapes.get(name, ()) for name in (taken[0], given)]
            alike = len(shapes[0]) == len(shapes[1]) == _RANK and shapes[0][1] == shapes[1][1]
            return {given: where} if alike else {}
        if node.op_type in _MOVED and taken[0] == node.input[0]:
            return self._rearranged(node, where)
        return {}

    def _joined(self, node: NodeProto, places: Mapping[str, Places]) -> dict[str, Places]:
        import numpy as np

        parts = []
        for name in node.input:
            shape = self._shapes.get(name, ())
            if not shape or name in self._constants:
                return {}
            known = places.get(name)
            parts.append(np.full(shape, OTHERS) if known is None else _full(known, shape))
        axis = attribute(node, "axis")
        assert axis is not None
        return {node.output[0]: _by_channel(np.concatenate(parts, axis.i))}

    def _rearranged(self, node: NodeProto, where: Places) -> dict[str, Places]:
        import numpy as np
        from onnx import numpy_helper

        shapes = [self._shapes.get(name, ()) for name in (node.input[0], *node.output)]
        if not all(shapes) or any(size < 1 for shape in shapes for size in shape):
            return {}
        full = _full(where, shapes[0])
        axis = attribute(node, "axis")
        at = 0 if axis is None else axis.i
        if node.op_type == "Transpose":
            order = attribute(node, "perm")
            parts = [full.transpose(order.ints if order is not None else None)]
        elif node.op_type == "Split":
            parts = np.split(full, np.cumsum([shape[at] for shape in shapes[1:-1]]), at)
        elif node.op_type == "Gather":
            indices = self._constants.get(node.input[1])
            if indices is None:
                return {}
            parts = [np.take(full, numpy_helper.to_array(indices), at)]
        else:
            parts = [full.reshape(shapes[1])]
        return {name: _by_channel(part) for name, part in zip(node.output, parts, strict=True)}

    def _is_ours(self, node: NodeProto) -> bool:
        """A 2-D convolution whose weights are constant and its own."""
        if node.op_type != "Conv":
            return False
        own = [name for name in node.input[1:] if name]
        known = all(name in self._constants and len(self._takers[name]) == 1 for name in own)
        return known and len(self._constants[own[0]].dims) == _RANK


def unscaled_tensors(model: ModelProto) -> tuple[str, ...]:
    """What `Channels.scale` may add, for the gates between convolutions."""
    gates = {gate for span in Channels(model).spans for gate in span.gates}
    nodes = [node for node in model.graph.node if node.output[0] in gates]
    added = [f"{node.input[0]}{_UNSCALED}" for node in nodes]
    hard = [
        f"{node.input[0]}{_UNSCALED}{_CLIPPED}" for node in nodes if node.op_type == "HardSwish"
    ]
    return (*added, *hard)


def _full(where: Places, shape: tuple[int, ...]) -> Places:
    """Of every value of a tensor, or of every channel as it is known."""
    import numpy as np

    if where.ndim == 1 and len(shape) == _RANK:
        where = where.reshape(1, -1, 1, 1)
    return np.broadcast_to(where, shape)


def _by_channel(where: Places) -> Places:
    """One for each channel, where all values of a channel are of the same."""
    if where.ndim != _RANK:
        return where
    first = where[:1, :, :1, :1]
    return first.reshape(-1) if (where == first).all() else where


def _group(node: NodeProto) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "group"), 1)


def _copy_type(graph: GraphProto, known: str, added: str) -> None:
    for value in graph.value_info:
        if value.name == known:
            graph.value_info.add().CopyFrom(value)
            graph.value_info[-1].name = added
            return

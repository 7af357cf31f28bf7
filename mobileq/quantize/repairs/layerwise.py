"""Runs a model op by op, once in float and once in simulated int8, and lets layers be revised.

A layer's new weights are chosen when everything before it has been revised already, as the int8
model will have it, yet every op runs only twice on each sample. Holds the values that are still
needed, of all samples, and takes fewer samples where that would be too much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.eight_bits import affine, channel_axis, enough_for_codes
from mobileq.graph.shapes import value_counts
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.parallel import threads_for
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.spec import TensorRange, TensorRanges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

    Array = NDArray[np.float32]
    Feeds = Mapping[str, NDArray[Any]]

_THREADS = 2
_MEMORY = 2 * 2**30
_FEWEST = 8
"""Samples, whatever memory they take."""
CODES = 127
"""Weights are symmetric: whole multiples, from -127 to 127, of a scale per output channel."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A 2-D convolution, and what it takes in the float and in the int8 model.

    `weights` is float32 [outputs, inputs / group, height, width], `bias` [outputs] (zeros where the
    node has none); `wanted` and `found` hold, for each sample, the input [1, C, H, W] of the float
    and of the int8 model. `convolve(inputs, weights, bias)` gives the outputs, as long
    as it is the turn of this layer.
    """

    node: NodeProto
    weights: Array
    bias: Array
    wanted: Sequence[Array]
    found: Sequence[Array]
    convolve: Callable[[Sequence[Array], Array, Array], list[Array]]


Revise = Callable[[Layer], tuple["Array", "Array"]]
"""Gives a layer's new weights and bias."""


def rounded(weights: Array) -> Array:
    """The weights [outputs, ...] that an int8 target makes of these."""
    import numpy as np

    scale = scales(weights)
    result: Array = np.rint(weights / scale).astype(np.float32) * scale
    return result


def scales(weights: Array) -> Array:
    """What one step of an output channel's 8-bit weights is worth: float32 [outputs, 1, ...]."""
    import numpy as np

    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    result: Array = np.maximum(largest / np.float32(CODES), np.float32(1e-12))
    return result


def with_eight_bits(groups: Iterable[OpGroup], keep_float: Collection[str]) -> list[OpGroup]:
    """Those that have weights, and in 8 bits, though they may stay float themselves."""
    weighty = [group for group in groups if group.weights is not None]
    enough = enough_for_codes(sum(group.weight_count for group in weighty))
    return [each for each in weighty if each.name not in keep_float or each.weight_count >= enough]


def most_samples(model: ModelProto) -> int:
    """Of which all activations that are needed at a time are held."""
    return max(_FEWEST, _MEMORY // _held_bytes(model))


def _held_bytes(model: ModelProto) -> int:
    """What one sample takes at most: float32 values of both models that are still needed."""
    counts = value_counts(model)
    uses = Counter(name for node in model.graph.node for name in node.input)
    held = sum(counts.get(value.name, 0) for value in model.graph.input)
    most = held
    for node in model.graph.node:
        held += sum(counts.get(name, 0) for name in node.output)
        most = max(most, held)
        uses.subtract(node.input)
        held -= sum(counts.get(name, 0) for name in set(node.input) if uses[name] == 0)
    return max(1, 2 * 4 * most)


class Walk:
    """From op to op; integer convolutions get the weights and biases that `revise` gives them.

    Args:
        model: The prepared float model, which is changed.
        samples: A few inputs.
        ranges: Of its activations. An op with a tensor that has none is run in float.
        keep_float: Names of the groups (see `find_groups`) that stay float.
    """

    def __init__(
        self,
        model: ModelProto,
        samples: Collection[Feeds],
        ranges: TensorRanges,
        keep_float: Collection[str],
        revise: Revise,
    ) -> None:
        from onnx import numpy_helper

        self._revision, self._next = revise, 0
        self._graph = model.graph
        self._opset = list(model.opset_import)
        self._constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self._ranges = ranges
        self._round = _Rounding()
        self._uses = Counter(name for node in model.graph.node for name in node.input)
        self._weight_uses = dict(self._uses)
        groups = find_groups(model)
        known = [
            group
            for group in groups
            if all(name in ranges for name in (*group.inputs, *group.tensors))
        ]
        integer = (group.nodes for group in known if group.name not in keep_float)
        self._integer = {at for nodes in integer for at in nodes}
        narrow = {group.name for group in with_eight_bits(groups, keep_float)}
        self._weights = {
            at: group.weights for group in known if group.name in narrow for at in group.nodes
        }
        self._rounded: set[str] = set()
        self._wanted: dict[str, list[Any]] = {}
        self._found: dict[str, list[Any]] = {}
        for value in model.graph.input:
            if value.name not in self._constants:
                self._wanted[value.name] = [feeds[value.name] for feeds in samples]
                self._found[value.name] = self._wanted[value.name]

    def step(self) -> None:
        """Run the next node in both models, after its weights have been revised."""
        with threads_for(_THREADS) as self._pool:
            self._step(self._next, self._graph.node[self._next])
        self._next += 1

    def _step(self, at: int, node: NodeProto) -> None:
        is_integer, weights = at in self._integer, self._weights.get(at)
        run = _Node(node, self._opset, self._pool)
        activations = [name for name in node.input if name in self._wanted]
        if not activations:  # computes a constant
            (values,) = run([[self._constants[name] for name in node.input if name]])
            names = (name for name in node.output if name)
            self._constants.update(zip(names, values, strict=True))
            return
        if is_integer:
            for name in activations:
                self._round_tensor(name)
        wanted = run(self._arguments(node, self._wanted))
        if self._is_layer(node, weights):
            self._revise(node, run)
            run = _Node(node, self._opset, self._pool)  # it may have got a bias
        replaced = {}
        if weights is not None and weights in node.input:
            replaced = {weights: rounded_for(node, self._constants[weights])}
        found = run(self._arguments(node, self._found, replaced))
        for index, name in enumerate(each for each in node.output if each):
            self._wanted[name] = [values[index] for values in wanted]
            self._found[name] = [values[index] for values in found]
            if is_integer:
                self._round_tensor(name)
            elif set(activations) <= self._rounded:
                self._rounded.add(name)  # it moved rounded values
        self._forget(node)

    def _is_layer(self, node: NodeProto, weights: str | None) -> bool:
        return (
            node.op_type == "Conv"
            and weights is not None
            and self._constants[weights].ndim == 4
            and self._weight_uses[weights] == 1
            and (len(node.input) < 3 or node.input[2] in self._constants)
        )

    def _revise(self, node: NodeProto, run: _Node) -> None:
        import numpy as np

        weights = self._constants[node.input[1]]
        has_bias = len(node.input) > 2 and bool(node.input[2])
        bias = self._constants[node.input[2]] if has_bias else np.zeros(len(weights), np.float32)

        def convolve(inputs: Sequence[Array], weights: Array, bias: Array) -> list[Array]:
            flat = bias[None, :, None, None]
            arguments = [[x, weights, *([np.zeros_like(bias)] if has_bias else [])] for x in inputs]
            return [values[0] + flat for values in run(arguments)]

        layer = Layer(
            node,
            weights,
            bias,
            self._wanted[node.input[0]],
            self._found[node.input[0]],
            convolve,
        )
        weights, bias = self._revision(layer)
        if not has_bias:
            if not np.any(bias):
                self._set(node.input[1], weights)
                return
            del node.input[2:]
            node.input.append(f"{node.output[0]}/bias")
        elif self._weight_uses[node.input[2]] > 1:
            node.input[2] = f"{node.output[0]}/bias"
        self._set(node.input[1], weights)
        self._set(node.input[2], bias)

    def _set(self, name: str, values: Array) -> None:
        from onnx import numpy_helper

        self._constants[name] = values
        tensor = numpy_helper.from_array(values, name)
        for known in self._graph.initializer:
            if known.name == name:
                known.CopyFrom(tensor)
                return
        self._graph.initializer.append(tensor)

    def _arguments(
        self,
        node: NodeProto,
        values: Mapping[str, list[Any]],
        replaced: Mapping[str, Any] = {},
    ) -> list[list[Any]]:
        count = len(next(iter(values.values())))
        return [
            [
                replaced[name]
                if name in replaced
                else (values[name][index] if name in values else self._constants[name])
                for name in node.input
                if name
            ]
            for index in range(count)
        ]

    def _round_tensor(self, name: str) -> None:
        if name not in self._rounded and name in self._ranges:
            self._found[name] = self._round(self._found[name], self._ranges[name], self._pool)
            self._rounded.add(name)

    def _forget(self, node: NodeProto) -> None:
        for name in node.input:
            self._uses[name] -= 1
            if self._uses[name] <= 0:
                self._wanted.pop(name, None)
                self._found.pop(name, None)


def rounded_for(node: NodeProto, weights: Array) -> Array:
    """As `rounded`, of a node's weights in the order of axes that its kind has."""
    import numpy as np

    axis = channel_axis(node, weights.ndim)
    return np.ascontiguousarray(np.moveaxis(rounded(np.moveaxis(weights, axis, 0)), 0, axis))


class _Node:
    """One node as a session; it is made when the types of what it takes are known."""

    def __init__(self, node: NodeProto, opset: list[Any], pool: Executor) -> None:
        self._node, self._opset, self._pool = node, opset, pool
        self._session: Any = None

    def __call__(self, arguments: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """Outputs for each sample's inputs (those that are not left out, in order)."""
        every = list(arguments)
        if self._session is None:
            self._open(every[0])
        feeds = [dict(zip(self._names, values, strict=True)) for values in every]
        return list(self._pool.map(lambda each: self._session.run(None, each), feeds))

    def _open(self, values: Sequence[Any]) -> None:
        from onnx import NodeProto, helper

        node = NodeProto()
        node.CopyFrom(self._node)
        self._names = []
        for at, name in enumerate(node.input):
            if name:
                node.input[at] = f"input/{at}"  # one tensor may be taken twice
                self._names.append(node.input[at])
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
            for name, value in zip(self._names, values, strict=True)
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        self._session = _session(helper.make_graph([node], "node", inputs, outputs), self._opset)


class _Rounding:
    """Rounds values to the 8-bit levels of a range."""

    def __init__(self) -> None:
        from onnx import TensorProto, helper

        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
            helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["y"]),
        ]
        kinds = {"x": TensorProto.FLOAT, "scale": TensorProto.FLOAT, "zero": TensorProto.UINT8}
        inputs = [
            helper.make_tensor_value_info(name, kind, None if name == "x" else [])
            for name, kind in kinds.items()
        ]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(nodes, "round", inputs, outputs)
        self._session = _session(graph, [helper.make_opsetid("", 13)])

    def __call__(self, values: Sequence[Array], found: TensorRange, pool: Executor) -> list[Array]:
        import numpy as np

        scale, zero = affine(found)
        fixed = {"scale": np.array(scale, np.float32), "zero": np.array(zero, np.uint8)}
        run = self._session.run
        return list(pool.map(lambda each: run(None, {"x": each, **fixed})[0], values))


def _session(graph: Any, opset: list[Any]) -> Any:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    # One thread each: samples run side by side instead.
    return open_session(model, SessionOptions(threads=1, keep_pairs=True))

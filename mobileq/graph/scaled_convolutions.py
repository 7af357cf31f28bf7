"""Takes factors and terms beside a convolution into its weights and its bias.

Exporters fold batch normalizations so, but not what networks learn as a factor and a term of their
own: PP-LCNetV3, which PP-OCRv4 is made of, has one of each behind every convolution and behind
every hard swish. In 8 bits each is an op that rounds once more.

Behind a convolution f (W * x + b) + t = (f W) * x + (f b + t), with one of each or one for each
channel. In front of one W * (f x + t) + b = (W f) * x + (b + sum(W t)), but the term only where
nothing is padded, since what is padded lies outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import attribute, constants, consumers, dims, needed_nodes, producers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

    Array = NDArray[Any]

_FACTORS, _TERMS = ("Mul", "Div"), ("Add", "Sub")


def fold_scales(model: ModelProto) -> ModelProto:
    """A copy without such factors and terms; the model itself where no convolution has any.

    Args:
        model: With inferred shapes.
    """
    from onnx import ModelProto

    if not _stands_beside(model.graph):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    folding = _Folding(copy)
    # In the graph's order: what lies between two convolutions goes into the first if it can.
    convolutions = [node for node in copy.graph.node if node.op_type == "Conv"]
    changed = [node for node in convolutions if folding.fold(node)]
    if not changed:
        return model
    graph = copy.graph
    nodes, read = needed_nodes(graph.node, (value.name for value in graph.output))
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    return copy


def _stands_beside(graph: GraphProto) -> bool:
    """Whether any may be there, told without a look at the weights, which may be large."""
    known = {tensor.name for tensor in graph.initializer}
    known |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    makers = producers(graph)
    steps = [node for node in graph.node if node.op_type in (*_FACTORS, *_TERMS)]
    steps = [node for node in steps if not known.isdisjoint(node.input)]
    ends = {name for node in steps for name in node.output}
    taken = [makers[name].op_type for node in steps for name in node.input if name in makers]
    convolutions = (node for node in graph.node if node.op_type == "Conv")
    return "Conv" in taken or any(node.input[0] in ends for node in convolutions)


@dataclass(frozen=True)
class _Step:
    """y = x * factor + term, one of each for each channel of y, or for all."""

    node: NodeProto
    taken: str
    factor: Array
    term: Array


class _Folding:
    def __init__(self, model: ModelProto) -> None:
        graph = self._graph = model.graph
        self._constants, self._makers = constants(graph), producers(graph)
        self._readers = consumers(graph)
        self._ends = {value.name for value in graph.output}
        values = (*graph.value_info, *graph.input, *graph.output)
        self._shapes = {value.name: dims(value) for value in values}

    def fold(self, convolution: NodeProto) -> bool:
        """Take in all that stands beside it, and say whether there was anything."""
        import numpy as np

        given = [self._constants.get(name) for name in convolution.input[1:] if name]
        if any(value is None or value.dtype != np.float32 for value in given):
            return False
        weights, *rest = (np.asarray(value, np.float64) for value in given)
        bias = rest[0] if rest else np.zeros(len(weights))
        found = False
        while step := self._behind(convolution, weights):
            per_channel = step.factor.reshape(-1, *[1] * (weights.ndim - 1))
            weights, bias = weights * per_channel, bias * step.factor + step.term
            convolution.output[0] = step.node.output[0]
            step.node.ClearField("output")
            found = True
        while step := self._before(convolution, weights):
            factor, term = (_by_input(each, weights) for each in (step.factor, step.term))
            bias = bias + (weights * term).sum(axis=tuple(range(1, weights.ndim)))
            weights = weights * factor
            convolution.input[0] = step.taken
            found = True
        if found:
            self._write(convolution, weights, bias)
        return found

    def _behind(self, convolution: NodeProto, weights: Array) -> _Step | None:
        """The step that alone reads what the convolution gives."""
        given = convolution.output[0]
        readers = self._readers.get(given, [])
        if len(readers) != 1 or given in self._ends:
            return None
        step = self._step(readers[0], len(weights), weights.ndim)
        if step is None or step.taken != given:
            return None
        # TFLite's ADD clips its sum; of a RELU6 alone ai-edge-quantizer 0.5.1 makes floats.
        followers = self._readers.get(step.node.output[0], [])
        is_clipped = any(node.op_type == "Clip" for node in followers)
        return None if step.term.any() and is_clipped else step

    def _before(self, convolution: NodeProto, weights: Array) -> _Step | None:
        """The step whose result the convolution alone reads."""
        taken = convolution.input[0]
        if taken not in self._makers or len(self._readers[taken]) != 1 or taken in self._ends:
            return None
        channels = weights.shape[1] * _group(convolution)
        step = self._step(self._makers[taken], channels, weights.ndim)
        if step is None or (step.term.any() and _is_padded(convolution)):
            return None
        shape = self._shapes.get(step.taken)  # a constant may have made one channel many
        return step if shape and len(shape) == weights.ndim and shape[1] == channels else None

    def _step(self, node: NodeProto, channels: int, rank: int) -> _Step | None:
        import numpy as np

        if node.op_type not in (*_FACTORS, *_TERMS) or len(node.output) != 1:
            return None
        given = [name for name in node.input if name in self._constants]
        taken = [name for name in node.input if name not in self._constants]
        is_turned = node.op_type in ("Div", "Sub") and node.input[0] in self._constants
        if len(given) != 1 or len(taken) != 1 or is_turned:
            return None
        value = self._constants[given[0]]
        aligned = (1,) * (rank - value.ndim) + value.shape
        if value.ndim > rank or value.dtype != np.float32:
            return None
        if value.size != 1 and aligned != (1, channels, *[1] * (rank - 2)):
            return None
        number = value.reshape(-1).astype(np.float64)
        neutral = np.ones(1), np.zeros(1)
        if node.op_type in _TERMS:
            term = number if node.op_type == "Add" else -number
            return _Step(node, taken[0], neutral[0], term)
        if node.op_type == "Div" and not number.all():
            return None
        factor = number if node.op_type == "Mul" else 1 / number
        return _Step(node, taken[0], factor, neutral[1])

    def _write(self, convolution: NodeProto, weights: Array, bias: Array) -> None:
        import numpy as np
        from onnx import numpy_helper

        names = [f"{convolution.output[0]}/{part}" for part in ("weights", "bias")]
        for name, value in zip(names, (weights, bias), strict=True):
            made = numpy_helper.from_array(value.astype(np.float32), name)
            self._graph.initializer.append(made)
        del convolution.input[1:]
        convolution.input.extend(names)


def _by_input(values: Array, weights: Array) -> Array:
    """Of a number, or one for each channel that is taken: as broadcast to the weights."""
    if values.size == 1:
        return values
    groups = values.reshape(-1, weights.shape[1])
    of_output = groups.repeat(len(weights) // len(groups), axis=0)
    return of_output.reshape(*of_output.shape, *[1] * (weights.ndim - 2))


def _group(convolution: NodeProto) -> int:
    group = attribute(convolution, "group")
    return 1 if group is None else group.i


def _is_padded(convolution: NodeProto) -> bool:
    pads, mode = attribute(convolution, "pads"), attribute(convolution, "auto_pad")
    is_valid = mode is None or mode.s in (b"NOTSET", b"VALID")
    return not is_valid or (pads is not None and any(pads.ints))

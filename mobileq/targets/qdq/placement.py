"""Which nodes of a float model compute on integers in ONNX Runtime, and which tensors have a pair.

ONNX Runtime (1.26) makes an integer kernel of an operator all of whose inputs come from
DequantizeLinear and all of whose outputs go to QuantizeLinear; it has one for some operators only.
What moves values runs on integers as they are, if its two pairs are alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobileq.graph.eight_bits import affine
from mobileq.graph.frontier import behind_weights
from mobileq.graph.op_facts import WEIGHTY, Fact, only_moves, ops_with
from mobileq.graph.outline import attribute, reads
from mobileq.graph.pair_parameters import constant_names
from mobileq.spec import TensorRange, TensorRanges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto

    Constants = Mapping[str, NDArray[np.generic]]

_POOLS: Final = frozenset({"AveragePool", "GlobalAveragePool"})
WITH_CONSTANTS: Final = frozenset({"Add", "Mul", "Concat", "MatMul"})
"""Whose constants are quantized as activations are; those of other operators are no values."""
_FIXED: Final = frozenset({"Sigmoid", "Softmax"})
"""Their results have a range of their own, whatever is fed."""
COMPUTING: Final = WEIGHTY | WITH_CONSTANTS | _POOLS | _FIXED | {"LeakyRelu"}
"""With integer kernels: qdq_selector_action_transformer.cc. ConvTranspose has none (1.26): it has
pairs for runtimes that do, and for the size of the file."""
_CUT_OFF: Final = frozenset({"Relu", "Clip"})
"""Which QuantizeLinear does as well where its range ends there."""
_LARGEST = 255
_FEWEST_WEIGHTS = 64
"""Fewer are the bins of a distance distribution."""
_FAR = 1e30
_MARGIN = 1.2
_PADDING: Final = ops_with(Fact.PADS)


@dataclass(frozen=True)
class Placement:
    """Where the pairs are to be.

    Attributes:
        nodes: Positions of the nodes that take what pairs give, and stored integers.
        ranges: Of the tensors with a pair.
        given: Those of them that all nodes take from the pair, since an integer kernel gives them.
    """

    nodes: frozenset[int]
    ranges: TensorRanges
    given: frozenset[str] = frozenset()


def integer_placement(
    graph: GraphProto,
    ranges: TensorRanges,
    keep_float: Collection[str],
    constants: Constants,
    *,
    decoding_too: bool = False,
) -> Placement:
    """Pairs at all that integer nodes take and give.

    Args:
        graph: Of the prepared float model.
        keep_float: Tensors whose nodes stay float.
        decoding_too: What follows the last weights may be integer, where it has ranges.
    """
    known = {**ranges, **_cut_off(graph, ranges, constants), **_spread_out(graph, ranges)}
    known.update(_moved(graph, known))
    plan = _Integers(graph, known, keep_float, constants, decoding_too)
    nodes = [(at, graph.node[at]) for at in sorted(plan.integer)]
    biased = {at: plan.product_before(node) for at, node in nodes}
    inside = {node.input[0] for _, node in nodes if plan.cuts_off(node)}
    inside |= {name for name in biased.values() if name}
    given = {name for _, node in nodes for name in node.output if name} - inside
    taken = {name for _, node in nodes for name in activations(node, plan.fixed)} - inside
    found = {name: known[name] for name in known if name in given | taken}
    taking = frozenset(at for at, _ in nodes if not biased[at])
    return Placement(taking, {**found, **plan.joined(found)}, frozenset(given))


def input_placement(
    graph: GraphProto,
    ranges: TensorRanges,
    keep_float: Collection[str],
    constants: Constants,
    *,
    decoding_too: bool = False,
) -> Placement:
    """Pairs at what convolutions and products take. As `integer_placement`."""
    known = {**_moved(graph, ranges), **ranges}
    fixed = constant_names(graph)
    skipped = set() if decoding_too else decoding(graph)
    kept = set(keep_float)
    taken = {
        at: list(activations(node, fixed))
        for at, node in enumerate(graph.node)
        if at not in skipped and kept.isdisjoint(node.output) and _is_weighty(node, constants)
    }
    taken = {at: names for at, names in taken.items() if names and known.keys() >= set(names)}
    wanted = {name for names in taken.values() for name in names}
    return Placement(frozenset(taken), {name: known[name] for name in known if name in wanted})


def activations(node: NodeProto, fixed: Collection[str]) -> Iterator[str]:
    """The tensors with values of the picture that a node works on."""
    taken = node.input if node.op_type in WEIGHTY | WITH_CONSTANTS else node.input[:1]
    return (name for name in dict.fromkeys(taken) if name and name not in fixed)


def decoding(graph: GraphProto) -> set[int]:
    """Positions of the nodes behind the last weights. As in .tflite files, the convolution to a
    single channel that ends a head (YOLOX's objectness) is none of them."""
    large = {
        tensor.name for tensor in graph.initializer if math.prod(tensor.dims) >= _FEWEST_WEIGHTS
    }
    return {
        at
        for at in behind_weights(graph)
        if graph.node[at].op_type not in WEIGHTY or graph.node[at].input[1] not in large
    }


def _is_weighty(node: NodeProto, constants: Constants) -> bool:
    """Whether it is a convolution or product with constant weights, or a product of activations."""
    if node.domain or node.op_type not in WEIGHTY:
        return False
    if node.op_type == "MatMul":
        return True
    return all(name in constants for name in node.input[1:] if name)


def _moves(node: NodeProto) -> bool:
    """Whether results are values of the first input, in one tensor type."""
    pooled_twice = node.op_type == "MaxPool" and len(node.output) > 1
    return (only_moves(node) or node.op_type in _PADDING) and not pooled_twice


def _moved(graph: GraphProto, ranges: TensorRanges) -> TensorRanges:
    """What only moves values gives them in the range that they had: integers are copied."""
    found: TensorRanges = {}
    for node in graph.node:
        if node.input and _moves(node):
            source = found.get(node.input[0], ranges.get(node.input[0]))
            if source is not None:
                found.update((name, source) for name in node.output if name)
    return found


def _cut_off(graph: GraphProto, ranges: TensorRanges, constants: Constants) -> TensorRanges:
    """Ranges of what Relu and Clip give, within their limits.

    A calibrator may go a thousandth beyond them. ONNX Runtime (1.26) takes the Clip for one that
    QuantizeLinear makes redundant then, and later not, and refuses its own graph.
    """
    found: TensorRanges = {}
    for node in graph.node:
        if node.op_type in _CUT_OFF and node.output[0] in ranges:
            known, (low, high) = ranges[node.output[0]], _limits(node, constants)
            if low < high:
                kept = max(known.min, low), min(known.max, high)
                found[node.output[0]] = TensorRange(min=min(kept), max=max(kept))
    return found


def _spread_out(graph: GraphProto, ranges: TensorRanges) -> TensorRanges:
    """Ranges of what Softmax gives, wide enough for QLinearSoftmax.

    ONNX Runtime (1.26) sums up exponentials that are as large as floats allow, and multiplies them
    by 1 / scale before it divides: where all n values are about the same it gave nothing but 0.
    e^-5 / n of what floats hold is what is left for 1 / scale.
    """
    values = (*graph.value_info, *graph.output)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in values}
    found: TensorRanges = {}
    for node in graph.node:
        name = node.output[0] if node.op_type == "Softmax" else ""
        if name in ranges and name in shapes:
            axis = attribute(node, "axis")
            count = shapes[name][-1 if axis is None else axis.i].dim_value
            least = _MARGIN * _LARGEST / (math.exp(5) * max(count, 1))
            if ranges[name].max < least:
                found[name] = TensorRange(min=ranges[name].min, max=least)
    return found


def _limits(node: NodeProto, constants: Constants) -> tuple[float, float]:
    """Of a Relu or Clip; they cut off everything where they are no constants."""
    if node.op_type == "Relu":
        return 0.0, _FAR
    low, high = [*node.input[1:], "", ""][:2]
    if any(name and name not in constants for name in (low, high)):
        return _FAR, -_FAR
    return (
        float(constants[low].item()) if low else -_FAR,
        float(constants[high].item()) if high else _FAR,
    )


def _is_within(found: TensorRange, limits: tuple[float, float]) -> bool:
    """Whether the codes of a range stand for nothing beyond the limits."""
    import numpy as np

    scale, zero = affine(found)
    least, most = (np.float32(scale) * np.float32(code - zero) for code in (0, _LARGEST))
    return bool(np.float32(limits[0]) <= least and most <= np.float32(limits[1]))


class _Integers:
    """Which nodes compute on integers.

    Attributes:
        integer: Their positions.
        fixed: Tensors that depend on no input.
    """

    def __init__(
        self,
        graph: GraphProto,
        ranges: TensorRanges,
        keep_float: Collection[str],
        constants: Constants,
        decoding_too: bool,
    ) -> None:
        self._nodes, self._ranges, self._constants = graph.node, ranges, constants
        self.fixed = constant_names(graph)
        self._at = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
        self._readers: dict[str, list[int]] = {}
        for at, node in enumerate(graph.node):
            for name in dict.fromkeys(reads(node)):
                self._readers.setdefault(name, []).append(at)
        self._outputs = {value.name for value in graph.output}
        kept = set(keep_float)
        able = {
            at
            for at, node in enumerate(graph.node)
            if kept.isdisjoint(node.output) and self._is_able(node)
        }
        tail = set() if decoding_too else decoding(graph)
        self.integer = able - tail
        # What the last kernels cut off themselves.
        self.integer |= {at for at in able & tail if self.cuts_off(graph.node[at])}
        self._leave_out_cut_off_floats()
        self._leave_out_lonely_moves()

    def cuts_off(self, node: NodeProto) -> bool:
        """Whether it is a Relu or Clip that the kernel before it does by its range alone."""
        if node.op_type not in _CUT_OFF or node.input[0] in self._outputs:
            return False
        maker = self._at.get(node.input[0])
        if maker is None or maker not in self.integer or len(self._readers[node.input[0]]) != 1:
            return False
        if self._nodes[maker].op_type not in COMPUTING:
            return False
        return _is_within(self._ranges[node.output[0]], _limits(node, self._constants))

    def product_before(self, node: NodeProto) -> str:
        """The product that an Add gives its bias, or nothing.

        It has no pair: rounded, and a bias of 8 bits added to it, it is far less exact. ONNX
        Runtime (1.26) makes a QGemm of the two, with a bias of 32 bits.
        """
        taken = [name for name in node.input if name not in self.fixed]
        maker = self._at.get(taken[0]) if node.op_type == "Add" and len(taken) == 1 else None
        if maker is None or maker not in self.integer or taken[0] in self._outputs:
            return ""
        product = self._nodes[maker]
        by_weights = product.op_type == "MatMul" and product.input[1] in self._constants
        return taken[0] if by_weights and len(self._readers[taken[0]]) == 1 else ""

    def joined(self, pairs: TensorRanges) -> TensorRanges:
        """The concatenation's range of what is computed for nothing but a concatenation.

        It is rounded once instead of twice, as in .tflite files (ai-edge-quantizer 0.5.1).
        """
        found: TensorRanges = {}
        for at in self.integer:
            node = self._nodes[at]
            for name in node.input if node.op_type == "Concat" else ():
                alone = name not in self._outputs and len(self._readers[name]) == 1
                wanted = pairs[node.output[0]]
                if name in pairs and alone and self._can_have(name, wanted):
                    found[name] = wanted
        return found

    def _can_have(self, name: str, wanted: TensorRange) -> bool:
        """Whether a kernel gives it that can give the range."""
        at = self._at.get(name)
        if at is None or at not in self.integer or _moves(self._nodes[at]):
            return False
        node = self._nodes[at]
        if node.op_type in _CUT_OFF:
            return _is_within(wanted, _limits(node, self._constants))
        return node.op_type not in _FIXED | {"AveragePool", "Concat"}

    def _leave_out_cut_off_floats(self) -> None:
        """A Relu or Clip has no integer kernel: behind a float one, whose result would be rounded
        over all of its range, it stays float too."""
        for at in sorted(self.integer):
            node = self._nodes[at]
            maker = self._at.get(node.input[0])
            if node.op_type in _CUT_OFF and maker is not None and maker not in self.integer:
                self.integer.remove(at)

    def _leave_out_lonely_moves(self) -> None:
        """What only moves values stays float beside anything float: it would be rounded for
        nothing."""
        moving = {at for at in self.integer if _moves(self._nodes[at])}
        floats = {-1}
        while floats:
            floats = {at for at in moving if not self._is_among_integers(self._nodes[at])}
            moving -= floats
            self.integer -= floats

    def _is_among_integers(self, node: NodeProto) -> bool:
        maker = self._at.get(node.input[0])
        readers = {at for name in node.output for at in self._readers.get(name, ())}
        return (maker is None or maker in self.integer) and readers <= self.integer

    def _is_able(self, node: NodeProto) -> bool:
        """Whether a node of its kind can be integer, and all it takes and gives has a range."""
        if node.domain or not node.input:
            return False
        if node.op_type in WEIGHTY:
            able = _is_weighty(node, self._constants)
        else:
            able = node.op_type in COMPUTING | _CUT_OFF or _moves(node)
        if node.op_type in WITH_CONSTANTS:
            able = able and all(n in self._constants for n in node.input if n in self.fixed)
        taken = list(activations(node, self.fixed))
        given = [name for name in node.output if name]
        return able and bool(taken) and self._ranges.keys() >= {*taken, *given}

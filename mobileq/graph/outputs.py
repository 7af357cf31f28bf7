"""How a graph's outputs come about: what they are put together from, and which functions their
values went through on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.graph.index import GraphIndex
from mobileq.graph.op_facts import REARRANGING
from mobileq.graph.outline import DYNAMIC, attribute

if TYPE_CHECKING:
    from onnx import NodeProto

SIGMOID_ERROR = 2.0**-22
"""ONNX Runtime's sigmoid (1.26) is half a one and a fraction, off by up to 1.03e-7 wherever it is:
that is 40 dB of the scores of a face detector which sees no face."""
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Exp", "Pow"})
_FUNCTIONS = _ARITHMETIC | {"Sigmoid", "Softmax"}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A range of an output's channels, and the op types between it and its convolutions."""

    channels: int
    ops: frozenset[str]

    @property
    def activated(self) -> bool:
        """A sigmoid went over it."""
        return "Sigmoid" in self.ops

    @property
    def untouched(self) -> bool:
        """It is the bare output of a convolution."""
        return not self.ops & _FUNCTIONS


def value_path(index: GraphIndex, name: str) -> Iterator[tuple[NodeProto, str]]:
    """(node, tensor) back from an output along what carries its values (not indices or sizes)."""
    seen: set[str] = set()
    while name in index.made_by and name not in seen:
        seen.add(name)
        node = index.made_by[name]
        yield node, name
        computed = [item for item in node.input if item and item not in index.constants]
        if not computed or index.is_convolution(node):
            return
        # Gather, Pad, Reshape and Slice carry the values in their first input.
        name = node.input[0] if node.input[0] in computed else computed[0]


def last_function(index: GraphIndex, name: str) -> str | None:
    """The op type nearest to the output that computes values."""
    path = (node.op_type for node, _ in value_path(index, name))
    return next((op_type for op_type in path if op_type in _FUNCTIONS), None)


def end_of(index: GraphIndex, name: str) -> NodeProto | None:
    """The node that gives an output's values, whatever rearranges them after it."""
    node = index.made_by.get(name)
    while node is not None and (node.op_type in REARRANGING or node.op_type == "Cast"):
        node = index.made_by.get(node.input[0])
    return node


def is_sigmoid(index: GraphIndex, name: str, *, or_product: bool = False) -> bool:
    """Whether all of an output's values are what sigmoids give, or products of such."""
    node = end_of(index, name)
    if node is None:
        return False
    if node.op_type in ("Slice", "Split"):
        return is_sigmoid(index, node.input[0], or_product=or_product)
    if node.op_type == "Concat" or (or_product and node.op_type == "Mul"):
        return all(is_sigmoid(index, part, or_product=or_product) for part in node.input)
    return bool(node.op_type == "Sigmoid")


def pieces_of(index: GraphIndex, name: str) -> dict[int, tuple[Piece, ...]]:
    """The Concats on the way back from an output, by the total length of their parts.

    An output [1, A, C] or [1, C, A] is concatenated over the strides (a total of A) and over the
    branches (a total of C), in either order; who asks knows which of the two is C.
    """
    lengths = {length for length in index.shapes.get(name, ())[-2:] if length != DYNAMIC}
    found: dict[int, tuple[Piece, ...]] = {}
    seen: set[str] = set()
    while name in index.made_by and name not in seen:
        seen.add(name)
        node = index.made_by[name]
        if node.op_type == "Concat":
            parts = _concat_parts(index, node)
            if sum(parts) in lengths:
                found[sum(parts)] = tuple(
                    Piece(channels=part, ops=_ops_behind(index, item))
                    for part, item in zip(parts, node.input, strict=True)
                )
        elif node.op_type not in REARRANGING:  # through which a piece can be followed
            break
        name = node.input[0]
    return found


def _concat_parts(index: GraphIndex, node: NodeProto) -> list[int]:
    axis = axis_of(node, 0)
    parts = []
    for item in node.input:
        shape = index.shapes.get(item, ())
        if not -len(shape) <= axis < len(shape):
            return []
        parts.append(shape[axis])
    return parts


def _ops_behind(index: GraphIndex, name: str) -> frozenset[str]:
    return frozenset(node.op_type for node in index.nodes_behind(name))


def axis_of(node: NodeProto, default: int) -> int:
    """The attribute `axis`."""
    axis = attribute(node, "axis")
    return default if axis is None else axis.i

"""The residual stream of a transformer: what each block adds to, and normalizes a copy of.

    x' = x + f(norm(x))

A few channels of x grow from block to block until they are many times as large as all others, which
the normalization divides out again: in steps of 8 bits that the large ones need, the others are
lost, and what is lost once stays in the stream. Normalizations are in float in int8 files of all
runtimes, so that sums in float save conversions; what f takes and gives is in integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobileq.graph.op_facts import REARRANGING
from mobileq.graph.outline import consumers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onnx import GraphProto, NodeProto

_NORMALIZING: Final = frozenset({"LayerNormalization", "RMSNormalization"})
_SQUARING: Final = frozenset({"Mul", "Pow"})


def residual_sums(graph: GraphProto) -> frozenset[str]:
    """What the Adds give that make up residual streams.

    These are the Adds whose sum is both normalized and added to again, and those that add to it:
    the last one of a stream is only normalized, or nothing but read out.
    """
    readers = consumers(graph)
    found: set[str] = set()
    for node in graph.node:
        if node.op_type != "Add":
            continue
        taken = list(_readers(node.output[0], readers))
        adding = [reader.output[0] for reader, _ in taken if reader.op_type == "Add"]
        if adding and any(_normalizes(*reading, readers) for reading in taken):
            found.update((node.output[0], *adding))
    return frozenset(found)


def _readers(name: str, readers: Mapping[str, list[NodeProto]]) -> Iterator[tuple[NodeProto, str]]:
    """Those of a tensor, behind what only rearranges it, and the name by which each takes it."""
    for node in readers.get(name, ()):
        if node.op_type in REARRANGING and node.input[0] == name:
            yield from _readers(node.output[0], readers)
        else:
            yield node, name


def _normalizes(node: NodeProto, taken: str, readers: Mapping[str, list[NodeProto]]) -> bool:
    """Whether the node is a normalization of the tensor, or the first step of one that is in
    pieces, as exporters write them below opset 17."""
    if node.op_type in _NORMALIZING:
        return bool(node.input[0] == taken)
    following = readers.get(node.output[0], ())
    if node.op_type == "ReduceMean":
        return any(each.op_type == "Sub" and each.input[0] == taken for each in following)
    if node.op_type in _SQUARING and node.input[0] == taken:  # RMSNorm
        is_square = node.op_type == "Pow" or node.input[1] == taken
        return is_square and any(each.op_type == "ReduceMean" for each in following)
    return False

"""Takes convolutions apart whose output holds different things, so that each has a tensor.

What is in one tensor has one scale in 8 bits: boxes are rounded as coarsely as the class scores
beside them ask for. The parts together compute what the whole did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.graph.index import GraphIndex
from mobileq.graph.outline import attribute

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


@dataclass(frozen=True)
class Part:
    """Some of a convolution's output channels."""

    name: str
    """Of the tensor that they become."""
    channels: tuple[int, ...]


def can_part(model: ModelProto, names: Sequence[str]) -> bool:
    """Whether all of these are outputs of plain convolutions, whose channels are independent."""
    index = GraphIndex(model)
    return all(_is_plain(index, index.made_by.get(name)) for name in names)


def _is_plain(index: GraphIndex, node: NodeProto | None) -> bool:
    if node is None or node.op_type != "Conv":
        return False
    group = attribute(node, "group")
    weights = [name for name in node.input[1:] if name]
    return (group is None or group.i == 1) and all(name in index.constants for name in weights)


def part_convolutions(model: ModelProto, parts: Mapping[str, Sequence[Part]]) -> ModelProto:
    """A copy in which each of these tensors is put together from convolutions of its parts.

    Args:
        model: `can_part` says that these tensors can be taken apart.
        parts: By the tensor: each of its channels is in one of them, once.
    """
    from onnx import ModelProto

    copy = ModelProto()
    copy.CopyFrom(model)
    index = GraphIndex(model)
    del copy.graph.node[:]
    for node in model.graph.node:
        found = parts.get(node.output[0]) if node.output else None
        copy.graph.node.extend([node] if found is None else _parted(copy, index, node, found))
    return copy


def _parted(
    model: ModelProto, index: GraphIndex, whole: NodeProto, parts: Sequence[Part]
) -> list[NodeProto]:
    import numpy as np
    from onnx import helper, numpy_helper

    nodes = []
    for part in parts:
        node = type(whole)()
        node.CopyFrom(whole)
        node.name = node.output[0] = part.name
        for at, name in enumerate(whole.input):
            if at and name:
                chosen = index.constants[name][list(part.channels)]
                node.input[at] = f"{part.name}.{'bias' if at > 1 else 'weight'}"
                model.graph.initializer.append(numpy_helper.from_array(chosen, node.input[at]))
        nodes.append(node)
    name = whole.output[0]
    order = np.argsort(np.concatenate([part.channels for part in parts]))
    is_sorted = np.array_equal(order, np.arange(len(order)))
    joined = name if is_sorted else f"{name}.joined"
    names = [part.name for part in parts]
    nodes.append(helper.make_node("Concat", names, [joined], name=joined, axis=1))
    if not is_sorted:
        order = order.astype(np.int64)
        model.graph.initializer.append(numpy_helper.from_array(order, f"{name}.order"))
        nodes.append(helper.make_node("Gather", [joined, f"{name}.order"], [name], axis=1))
    return nodes

"""Refuses convolutions and pools that get a tensor of the wrong rank, before ONNX crashes on them.

onnx 1.20.1's shape inference and ONNX Runtime 1.26 read past a vector's end for a Conv whose input
has fewer dimensions than its kernel, and take the process with them. A wrong --input-shape for an
input of unknown rank is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.errors import InputError
from mobileq.graph.op_facts import Fact, only_moves, ops_with
from mobileq.graph.outline import all_graphs, attribute, dims

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_WEIGHTED = frozenset({"Conv", "ConvTranspose"})
_POOLS = frozenset({"MaxPool", "AveragePool", "LpPool", "MaxUnpool"})
_HIGHEST_RANK = ops_with(Fact.ELEMENTWISE | Fact.KEEPS_RANK)
"""Operators whose output has the highest rank among their inputs."""
_KEEPING = ops_with(Fact.KEEPS_RANK)
"""Of those the operators where that is the first input's."""


def require_ranks(model: ModelProto) -> None:
    """Follow the inputs' ranks through the graph as far as they are plain to see.

    Raises:
        InputError: A convolution or pool gets another rank than its kernel has.
    """
    for graph in all_graphs(model):
        ranks: dict[str, int] = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
        for value in graph.input:
            shape = dims(value)
            if shape is not None:
                ranks[value.name] = len(shape)
        for node in graph.node:
            _follow(node, ranks)


def _follow(node: NodeProto, ranks: dict[str, int]) -> None:
    value = attribute(node, "value") if node.op_type == "Constant" else None
    if value is not None:
        ranks[node.output[0]] = len(value.t.dims)
    if not node.input or not node.output:
        return
    given = ranks.get(node.input[0])
    needed = _needed_rank(node, ranks)
    if needed is not None:
        lists = [len(item.ints) for item in node.attribute if item.name in _SPATIAL_LISTS]
        pads = attribute(node, "pads")
        fits = all(length in (0, needed - 2) for length in lists)
        fits = fits and (pads is None or len(pads.ints) in (0, 2 * (needed - 2)))
        name = node.name or node.output[0]
        if needed < 3 or not fits:
            raise InputError(
                f"The settings of the {node.op_type} '{name}' do not fit its kernel.",
                "Export the model again.",
            )
        if given not in (None, needed):
            raise InputError(
                f"The {node.op_type} '{name}' works on {needed} dimensions but gets {given}.",
                "Give the input as many dimensions as the model was made for, or export it again.",
            )
        ranks[node.output[0]] = needed
    elif node.op_type in _HIGHEST_RANK:
        known = [ranks[name] for name in node.input if name in ranks]
        # What is broadcast may be as a number beside a tensor of which nothing is known.
        kept = given is not None and node.op_type in _KEEPING
        if kept or (known and len(known) == sum(map(bool, node.input))):
            names = node.output if only_moves(node) else node.output[:1]
            ranks.update(dict.fromkeys(names, max(known)))


_SPATIAL_LISTS = frozenset({"kernel_shape", "strides", "dilations", "output_padding"})
"""Attributes with one number for each spatial dimension."""


def _needed_rank(node: NodeProto, ranks: dict[str, int]) -> int | None:
    """The rank the kernel is made for, None for other operators and unknown kernels."""
    if node.op_type in _WEIGHTED and len(node.input) > 1:
        return ranks.get(node.input[1])
    kernel = attribute(node, "kernel_shape") if node.op_type in _POOLS else None
    return None if kernel is None else len(kernel.ints) + 2

"""A float model and its ranges as a quantized ONNX model.

Activations pass through a QuantizeLinear and a DequantizeLinear, constants are stored as integers
before a DequantizeLinear. Tensors keep their names; what a pair gives has one of its own, but at
the model's outputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from mobileq.errors import InputError
from mobileq.graph.eight_bits import affine
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import constants, opset, subgraphs
from mobileq.graph.prune import prune
from mobileq.graph.rewrites.opset import raised
from mobileq.spec import TensorRanges
from mobileq.targets.qdq.options import QdqOptions
from mobileq.targets.qdq.placement import (
    WITH_CONSTANTS,
    Placement,
    input_placement,
    integer_placement,
)
from mobileq.targets.qdq.stored import Stored

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_OLDEST: Final = 13
"""DequantizeLinear knows a scale for each channel since."""
_PLACES: Final = {"integer": integer_placement, "inputs": input_placement}


def quantized_model(
    model: ModelProto,
    ranges: TensorRanges,
    keep_float: Collection[str],
    options: QdqOptions | None = None,
    given: GivenQuantization | None = None,
    *,
    whole: bool = False,
) -> ModelProto:
    """The model with pairs of QuantizeLinear and DequantizeLinear. Same input, same bytes.

    Args:
        model: The prepared float model.
        ranges: Of its activations; a node without one stays float.
        keep_float: Tensors whose nodes stay float. What follows the last weights does as well.
        given: The scales that the model came with, if it did: its weights keep theirs, and what
            follows the last of them is integer as well where it has scales.
        whole: What follows the last weights is integer, too.

    Raises:
        InputError: Its operators are so old that they have no form with pairs.
    """
    options = options or QdqOptions()
    made = type(model)()
    made.CopyFrom(raised(model, _OLDEST))
    if opset(made) < _OLDEST:
        raise InputError(
            f"The model's operators are of opset {opset(made)}, where weights have one scale.",
            f"Export the model with opset {_OLDEST} or later.",
        )
    placement = _PLACES[options.kernels](
        *(made.graph, ranges, keep_float, constants(made.graph)),
        decoding_too=whole or given is not None,
    )
    _Writer(made.graph, placement, options, given).write()
    return made


class _Writer:
    """Rewrites a graph in place."""

    def __init__(
        self,
        graph: GraphProto,
        placement: Placement,
        options: QdqOptions,
        given: GivenQuantization | None,
    ) -> None:
        self._graph, self._placement, self._options = graph, placement, options
        self._outputs = {value.name for value in graph.output}
        self._stored = Stored(graph, options, given)
        self._nodes: list[NodeProto] = []
        self._pairs: dict[str, str] = {}
        """What the pair of a tensor gives,"""
        self._given: dict[str, str] = {}
        """and of those that nobody takes as they are."""

    def write(self) -> None:
        """Put pairs behind what gives the tensors, and constants before what takes them."""
        for value in self._graph.input:
            if value.name in self._placement.ranges:
                self._add_pair(value.name, value.name)
        for at, node in enumerate(self._graph.node):
            copy = type(node)()
            copy.CopyFrom(node)
            if at in self._placement.nodes:
                self._take_stored(copy)
                copy.input[:] = [self._pairs.get(name, name) for name in copy.input]
            else:
                _rename(copy, self._given)
            self._nodes.append(copy)
            for place, name in enumerate(node.output):
                if name in self._placement.ranges:
                    copy.output[place] = self._source(name)
                    self._add_pair(name, copy.output[place])
        replaced = self._stored.replaced
        kept = [node for node in self._nodes if replaced.isdisjoint(node.output) or node.input]
        del self._graph.node[:]
        self._graph.node.extend(kept)
        self._stored.settle()
        prune(self._graph)

    def _source(self, name: str) -> str:
        """What the node calls it that gives it: an output's name is its pair's."""
        given = name in self._placement.given
        return self._stored.free(f"{name}/float") if given and name in self._outputs else name

    def _add_pair(self, name: str, source: str) -> None:
        from onnx import helper

        scale, zero = self._stored.parameters(name, *affine(self._placement.ranges[name]))
        codes = self._stored.free(f"{name}/codes")
        result = name if name != source else self._stored.free(f"{name}/dequantized")
        self._nodes += [
            helper.make_node("QuantizeLinear", [source, scale, zero], [codes], f"{name}/quantize"),
            helper.make_node(
                "DequantizeLinear", [codes, scale, zero], [result], f"{name}/dequantize"
            ),
        ]
        self._pairs[name] = result
        if name in self._placement.given:
            self._given[name] = result

    def _take_stored(self, node: NodeProto) -> None:
        """Have the node take its constants from integers."""
        taken = [at for at, name in enumerate(node.input) if self._stored.has(name)]
        if node.op_type in WEIGHTY and 1 in taken:
            # Runtimes that take activations as integers only have float biases.
            whole = self._options.kernels == "integer"
            step = affine(self._placement.ranges[node.input[0]])[0] if whole else None
            self._nodes += self._stored.weights(node, step)
            taken.remove(1)
        if node.op_type in WITH_CONSTANTS:
            self._nodes += [self._stored.activation(node, at) for at in taken]


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    """Have the node, and what is inside of it, take other tensors."""
    for inner in (node, *(each for body in subgraphs([node]) for each in body.node)):
        inner.input[:] = [names.get(name, name) for name in inner.input]

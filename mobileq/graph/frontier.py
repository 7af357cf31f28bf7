"""Where a detector's learnt part ends, and models that begin or end at inner tensors."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from mobileq.errors import UsageError
from mobileq.graph.index import GraphIndex, is_distribution
from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import (
    DYNAMIC,
    consumers,
    dims,
    graph_inputs,
    needed_nodes,
    producers,
    reads,
)
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_FEW = 32
_ONLY_SIZES = frozenset({"Shape", "Size"})
_QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def frontier(model: ModelProto, outputs: Collection[str] = ()) -> tuple[str, ...]:
    """The outputs of the weighty convolutions that no other weighty convolution follows.

    Weighty are convolutions and matrix products with constant weights, but not the mean of a
    distance distribution (see `GraphIndex.expectation_weights`). Only what carries values to the
    outputs counts, in the order of the graph.

    Args:
        model: With static input shapes.
        outputs: Look at these outputs of the model only; at all where empty.
    """
    index = GraphIndex(model)
    live = set(outputs) or {value.name for value in model.graph.output}
    covered: set[str] = set()
    found: list[str] = []
    for node in reversed(index.nodes):
        made = [name for name in node.output if name]
        if live.isdisjoint(made) or node.op_type in _ONLY_SIZES:
            continue
        read = set(reads(node))
        live |= read
        weighty = _is_weighty(index, node)
        if weighty and covered.isdisjoint(made):
            found.append(node.output[0])
        if weighty or not covered.isdisjoint(made):
            covered |= read
    return tuple(reversed(found))


def _is_weighty(index: GraphIndex, node: NodeProto) -> bool:
    if index.expectation_weights(node) is not None:
        return False
    if node.op_type == "MatMul":
        return any(index.constant_value(name) is not None for name in node.input)
    return node.op_type in WEIGHTY and index.constant_value(node.input[1]) is not None


def learnt_weights(graph: GraphProto) -> dict[int, str]:
    """{position of a weighty node: its constant weights}

    Arithmetic in disguise has few, and is left out, as is the mean of a distance distribution of
    any length (D-FINE's has 33 bins).
    """
    large = {
        tensor.name: max(tensor.dims) == math.prod(tensor.dims)
        for tensor in graph.initializer
        if math.prod(tensor.dims) > _FEW and tensor.dims[0] > 1
    }
    made_by = producers(graph)
    return {
        at: node.input[1]
        for at, node in enumerate(graph.node)
        if node.op_type in WEIGHTY
        and node.input[1] in large
        and not (large[node.input[1]] and is_distribution(made_by, node.input[0]))
    }


def behind_weights(graph: GraphProto) -> set[int]:
    """Positions of the nodes with no learnt weights behind them on any path: the decoding.

    It is never quantized: pixel boxes and scores have no common scale.
    """
    learnt = learnt_weights(graph)
    leads: set[str] = set()
    tail: set[int] = set()
    for at in reversed(range(len(graph.node))):
        node = graph.node[at]
        if at in learnt or any(name in leads for name in node.output):
            leads.update(node.input)
        else:
            tail.add(at)
    return tail


def behind_quantizers(model: ModelProto, names: Sequence[str]) -> tuple[str, ...]:
    """Each tensor, or what a QuantizeLinear and DequantizeLinear right behind it make of it.

    A model that was trained for quantization decodes what the pair gives.
    """
    readers = consumers(model.graph)
    settled = []
    for name in names:
        last = name
        while len(next_nodes := readers.get(last, [])) == 1:
            if next_nodes[0].op_type not in _QUANTIZERS or next_nodes[0].input[0] != last:
                break
            last = next_nodes[0].output[0]
        settled.append(last)
    return tuple(settled)


def cut_at(model: ModelProto, tensor_names: Sequence[str]) -> ModelProto:
    """A model that ends at inner tensors; they become its outputs, in the order given.

    Nodes and initializers that nothing needs any more are left out. Inputs, names, metadata and the
    order of nodes stay as they are. Same input, same bytes.

    Raises:
        UsageError: No node makes such a tensor, it is named twice, or its shape is not static.
    """
    return between(model, (), tensor_names)


def between(model: ModelProto, starts: Collection[str], ends: Sequence[str]) -> ModelProto:
    """The part of a model that computes `ends` when `starts` are given.

    With `starts`, these are the inputs, behind those of the model's own that are still read.
    Outputs of the model may be dynamic; inner tensors must have static shapes.

    Raises:
        UsageError: As `cut_at`.
    """
    cut = infer_shapes(model)  # a copy
    graph = cut.graph
    values = {v.name: v for v in chain(graph.input, graph.value_info, graph.output)}
    own = {value.name for value in graph.output}
    for name in starts:
        _require_static(values, name)
    made_by = producers(graph)
    for name in ends:
        if name not in made_by:
            raise UsageError(
                f"No node of the model makes a tensor '{name}'.",
                "Give the names of tensors between the input and the outputs.",
            )
        if not starts or name not in own:
            _require_static(values, name)
    if len(set(ends)) < len(ends) or not ends:
        raise UsageError(
            "The model cannot be cut at these tensors: each must be named, and only once.",
            "Give each tensor once.",
        )
    nodes, read = needed_nodes(graph.node, ends, starts)
    inputs = [v for v in graph_inputs(cut) if not starts or v.name in read]
    inputs += [values[name] for name in starts]
    made = {name for node in nodes for name in node.output}
    inner = [v for v in graph.value_info if v.name in made and v.name not in ends]
    _replace(graph, nodes, inputs, [values[name] for name in ends], inner)
    _drop_constants(graph, read)
    return cut


def _require_static(values: dict[str, ValueInfoProto], name: str) -> None:
    shape = dims(values[name]) if name in values else None
    if shape is None or DYNAMIC in shape:
        raise UsageError(
            f"The shape of the tensor '{name}' depends on the picture: the model cannot be cut"
            " there.",
            "Use --head decoded, or export the model with a fixed input size.",
        )


def _replace(
    graph: GraphProto,
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    inner: list[ValueInfoProto],
) -> None:
    for field, kept in (
        (graph.node, nodes), (graph.input, inputs), (graph.output, outputs),
        (graph.value_info, inner),
    ):  # fmt: skip
        copies = []
        for item in kept:
            copy = type(item)()
            copy.CopyFrom(item)
            copies.append(copy)
        del field[:]
        field.extend(copies)


def _drop_constants(graph: GraphProto, read: set[str]) -> None:
    for field in (graph.initializer, graph.sparse_initializer):
        for index in reversed(range(len(field))):
            item = field[index]
            name = item.name if field is graph.initializer else item.values.name
            if name not in read:
                del field[index]
    known = {name for node in graph.node for name in node.output} | read
    for index in reversed(range(len(graph.quantization_annotation))):
        if graph.quantization_annotation[index].tensor_name not in known:
            del graph.quantization_annotation[index]

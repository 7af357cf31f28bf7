"""Zeros around a max pooling that ONNX Runtime's Pad_Fusion leaves alone.

It makes them the pooling's own padding (1.26), which is no value at all: where all around are
negative, the file gives these in place of zeros. An app has the optimizer switched on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.outline import all_graphs, attribute, constants, producers
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_NEVER_NEGATIVE: Final = frozenset({"Relu", "Sigmoid", "Softmax", "HardSigmoid"})
"""Behind these zeros are no more than nothing, and one op is faster than two."""
_SMALLEST: Final = {1: 2.0**-126, 10: 2.0**-24, 11: 2.0**-126}
"""By `TensorProto.DataType`, what is taken for a zero: the optimizer looks at zeros only."""


def keep_zeros(model: ModelProto) -> None:
    """In place: zeros around max poolings become the smallest numbers that there are."""
    found = [(node, graph) for graph in all_graphs(model) for node in _fused(graph)]
    if not found:
        return
    types = {
        value.name: value.type.tensor_type.elem_type
        for graph in all_graphs(infer_shapes(model))
        for value in (*graph.value_info, *graph.output)
    }
    for node, graph in found:
        kind = types.get(node.output[0], 0)
        if kind in _SMALLEST:
            _raise(node, graph, kind)


def _fused(graph: GraphProto) -> Iterator[NodeProto]:
    """What pads a max pooling's input, that may be negative, with zeros."""
    makers, stored = producers(graph), constants(graph)
    for pooling in graph.node:
        node = makers.get(pooling.input[0]) if pooling.op_type == "MaxPool" else None
        if node is None or node.op_type != "Pad":
            continue
        maker, mode = makers.get(node.input[0]), attribute(node, "mode")
        if maker is not None and maker.op_type in _NEVER_NEGATIVE:
            continue
        if (mode is None or mode.s == b"constant") and _pads_with_zero(node, stored):
            yield node


def _pads_with_zero(node: NodeProto, stored: Mapping[str, Any]) -> bool:
    if len(node.input) > 2 and node.input[2]:
        return node.input[2] in stored and not stored[node.input[2]].any()
    value = attribute(node, "value")  # before opset 11
    return value is None or value.f == 0.0


def _raise(node: NodeProto, graph: GraphProto, kind: int) -> None:
    from onnx import helper

    value = _SMALLEST[kind]
    if len(node.input) == 1:
        others = [each for each in node.attribute if each.name != "value"]
        del node.attribute[:]
        node.attribute.extend([*others, helper.make_attribute("value", value)])
        return
    name = f"{node.output[0]}/nearly-zero"
    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(helper.make_tensor(name, kind, [], [value]))
    node.input[2:3] = [name]

"""Models with inputs or outputs of int8: of int32, with what a cast to int8 leaves of a number.

What is left is x modulo 256, counted from -128 (ONNX operator schema, Cast 19). The interface of
MNN 3.6.1 has no tensors of int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import ModelProto, NodeProto

_INT8, _INT32 = 3, 6
"""`TensorProto.DataType`."""
_PAIR = frozenset({"DequantizeLinear", "QuantizeLinear"})
_LEAST, _COUNT = "int8/least", "int8/count"


def with_wide_ends(model: ModelProto) -> ModelProto:
    """A copy of which all int8 is int32; the model itself where no end is of int8, or where codes
    are of it."""
    ends = (*model.graph.input, *model.graph.output)
    if not any(value.type.tensor_type.elem_type == _INT8 for value in ends):
        return model
    if any(node.op_type in _PAIR for node in model.graph.node):
        return model
    import numpy as np
    from onnx import ModelProto, numpy_helper

    from mobileq.graph.shapes import infer_shapes

    wide = ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == _INT8:
            value.type.tensor_type.elem_type = _INT32
    for tensor in graph.initializer:
        if tensor.data_type == _INT8:
            array = numpy_helper.to_array(tensor).astype(np.int32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    nodes = [each for node in graph.node for each in _widened(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    for name, number in ((_LEAST, -128), (_COUNT, 256)):
        graph.initializer.append(numpy_helper.from_array(np.int32(number), name))
    del graph.value_info[:]
    return infer_shapes(wide)


def _widened(node: NodeProto) -> Iterator[NodeProto]:
    to = attribute(node, "to")
    if node.op_type != "Cast" or to is None or to.i != _INT8:
        yield node
        return
    from onnx import helper

    (source,), (given,) = node.input, node.output
    steps = ((source, "whole"), (f"{given}/whole", "shifted"), (f"{given}/shifted", "rest"))
    (first, whole), (second, shifted), (third, rest) = steps
    yield helper.make_node("Cast", [first], [f"{given}/{whole}"], f"{node.name}/{whole}", to=_INT32)
    for op, inputs, part in (
        ("Sub", [second, _LEAST], shifted),
        ("Mod", [third, _COUNT], rest),
    ):
        yield helper.make_node(op, inputs, [f"{given}/{part}"], f"{node.name}/{part}")
    yield helper.make_node("Add", [f"{given}/{rest}", _LEAST], [given], node.name)

"""Turns half- and double-precision models into float32, which every converter reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mobileq.graph.outline import all_graphs, all_nodes, all_tensors, graph_inputs, subgraphs

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto, TypeProto, ValueInfoProto

_FLOAT, _FLOAT16, _DOUBLE, _BFLOAT16 = 1, 10, 11, 16
"""`TensorProto.DataType`."""
_INT_ATTRIBUTE = 2
"""`AttributeProto.INT`."""

_DTYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "output_datatype", "stash_type")
"""The attributes that name the type of an output, over all standard operators up to opset 25."""


def to_float32(model: ModelProto) -> tuple[ModelProto, tuple[str, ...]]:
    """A copy in float32 throughout: weights, inputs, outputs, constants, casts, subgraphs.

    float16 and bfloat16 are always replaced. double only where an input or output is double:
    elsewhere it is a few exact numbers on the way to a shape.

    Returns:
        The model (the same one where nothing had to change) and the notices.
    """
    import onnx

    ends = [*graph_inputs(model), *model.graph.output]
    widened = {_FLOAT16, _BFLOAT16}
    if any(value.type.tensor_type.elem_type == _DOUBLE for value in ends):
        widened.add(_DOUBLE)
    found = _types_in_use(model) & widened
    if not found:
        return model, ()
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    for tensor in all_tensors(converted):
        if tensor.data_type in found:
            _tensor_to_float32(tensor)
    for value in _value_infos(converted):
        _type_to_float32(value.type, found)
    for node in all_nodes(converted):
        for item in node.attribute:
            if item.name in _DTYPE_ATTRIBUTES and item.type == _INT_ATTRIBUTE and item.i in found:
                item.i = _FLOAT
            if item.HasField("tp"):
                _type_to_float32(item.tp, found)
    names = " and ".join(onnx.TensorProto.DataType.Name(kind).lower() for kind in sorted(found))
    return converted, (f"The model is in {names}; it was widened to float32.",)


def _types_in_use(model: ModelProto) -> set[int]:
    kinds = {tensor.data_type for tensor in all_tensors(model)}
    kinds.update(value.type.tensor_type.elem_type for value in _value_infos(model))
    for node in all_nodes(model):
        kinds.update(item.i for item in node.attribute if item.name in _DTYPE_ATTRIBUTES)
    return kinds


def _value_infos(model: ModelProto) -> Iterable[ValueInfoProto]:
    for graph in all_graphs(model):
        yield from graph.input
        yield from graph.output
        yield from graph.value_info
    for function in model.functions:
        yield from function.value_info
        for graph in subgraphs(function.node):
            yield from (*graph.input, *graph.output, *graph.value_info)


def _type_to_float32(kind: TypeProto, widened: set[int]) -> None:
    which = kind.WhichOneof("value")
    if which == "tensor_type" and kind.tensor_type.elem_type in widened:
        kind.tensor_type.elem_type = _FLOAT
    elif which == "sequence_type":
        _type_to_float32(kind.sequence_type.elem_type, widened)
    elif which == "optional_type":
        _type_to_float32(kind.optional_type.elem_type, widened)


def _tensor_to_float32(tensor: TensorProto) -> None:
    import numpy as np
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):
        # A double beyond float32's range becomes infinity, as it would at run time.
        widened = numpy_helper.from_array(values.astype(np.float32), tensor.name)
    doc = tensor.doc_string
    tensor.CopyFrom(widened)
    tensor.doc_string = doc

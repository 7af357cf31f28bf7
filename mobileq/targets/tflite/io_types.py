"""Inputs and outputs of integer files in the type that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobileq.errors import UsageError, VerificationError
from mobileq.targets.tflite import contents, editing, interface

Range = tuple[float, float]
PIXELS: Range = (0.0, 255.0)
"""The range in which a byte's code is its value: int8 is uint8 - 128."""


def pixel_casts(model: Any) -> dict[str, Range]:
    """{what a CAST makes of an input of bytes: its range}, so that no value is rounded."""
    graph = model.subgraphs[0]
    names = (contents.tensor_name(graph.tensors[int(op.outputs[0])]) for op in _casts(model))
    return dict.fromkeys(names, PIXELS)


def require_ranges(model: Any, ranges: Mapping[str, Range]) -> None:
    """Raises UsageError where an input or output that is to be integer has no range."""
    graph = model.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[int(index)]
        name = contents.tensor_name(tensor)
        if contents.dtype_name(tensor) == "float32" and name not in ranges:
            raise UsageError(
                f"--io can't be obeyed: there is no range for {name!r}, which would be integer.",
                "Leave out --io.",
            )


def take_casts_in(model: Any) -> None:
    """Make an input of bytes that only a CAST and QUANTIZEs take the integer that these give.

    Args:
        model: An integer file (a schema `ModelT`) whose CASTs have the range of `pixel_casts`.
    """
    graph = model.subgraphs[0]
    for cast in _casts(model):
        source, wide = int(cast.inputs[0]), int(cast.outputs[0])
        takers = [op for op in graph.operators if wide in map(int, op.inputs)]
        kinds = {contents.op_name(model, op) for op in takers}
        shared = [op for op in graph.operators if source in map(int, op.inputs)]
        if kinds != {"QUANTIZE"} or len(shared) > 1 or wide in map(int, graph.outputs):
            continue
        made = [graph.tensors[int(op.outputs[0])] for op in takers]
        if any(contents.dtype_name(tensor) != "int8" for tensor in made):
            continue
        graph.tensors[source].type = made[0].type
        graph.tensors[source].quantization = made[0].quantization
        narrow = {int(op.outputs[0]) for op in takers}
        graph.operators = [op for op in graph.operators if op is not cast and op not in takers]
        for op in graph.operators:
            op.inputs = [source if int(index) in narrow else int(index) for index in op.inputs]
        graph.outputs = [source if int(index) in narrow else int(index) for index in graph.outputs]


def require_io(model: Any, io: str, *, all_integer: bool = False) -> None:
    """Raises VerificationError where an input or output is not of the type that was asked for, by
    --io or by a precision that is `all_integer`.

    Integers of more than 8 bits (class numbers, counts) have no scale and stay as they are.
    """
    graph = model.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        kind = contents.dtype_name(graph.tensors[int(index)])
        if kind in ("float32", "int8", "uint8") and kind != io:
            name = contents.tensor_name(graph.tensors[int(index)])
            if all_integer:
                raise VerificationError(
                    f"The file can't be all integer: {name!r} is {kind} in it.", "Use int8."
                )
            raise VerificationError(
                f"--io {io} can't be obeyed: {name!r} is {kind} in the file.",
                "Leave out --io.",
            )


def shift_io_to_uint8(model: Any) -> None:
    """Turn int8 inputs and outputs into uint8 ones with the same scale and zero-point + 128.

    A QUANTIZE op at each edge shifts the values; nothing is lost.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    # The schema reads index lists as read-only arrays.
    graph.inputs, graph.outputs = list(map(int, graph.inputs)), list(map(int, graph.outputs))
    for edges, is_input in ((graph.inputs, True), (graph.outputs, False)):
        for position, index in enumerate(edges):
            inner = graph.tensors[index]
            if inner.type != schema.TensorType.INT8:
                continue
            outer = editing.add_tensor(model, _as_uint8(inner))
            ends = ([outer], [index]) if is_input else ([index], [outer])
            editing.append_op(model, "QUANTIZE", *ends)
            if is_input:  # ops are run in the order of the list
                graph.operators.insert(0, graph.operators.pop())
            edges[position] = outer
            interface.redirect_signatures(model, index, outer)


def _casts(model: Any) -> list[Any]:
    """The CASTs of inputs of bytes to float32."""
    graph = model.subgraphs[0]
    inputs = set(map(int, graph.inputs))
    return [
        op
        for op in contents.ops_of(model, "CAST")
        if int(op.inputs[0]) in inputs
        and contents.dtype_name(graph.tensors[int(op.inputs[0])]) == "uint8"
        and contents.dtype_name(graph.tensors[int(op.outputs[0])]) == "float32"
    ]


def _as_uint8(inner: Any) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    outer, quant = schema.TensorT(), schema.QuantizationParametersT()
    quant.scale = list(inner.quantization.scale)
    quant.zeroPoint = [int(inner.quantization.zeroPoint[0]) + 128]
    outer.name, inner.name = inner.name, inner.name + b"_int8"
    outer.shape, outer.type = inner.shape, schema.TensorType.UINT8
    outer.quantization = quant
    return outer

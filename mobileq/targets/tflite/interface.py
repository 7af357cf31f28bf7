"""Give a file's inputs and outputs another shape or order; their names stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mobileq.targets.tflite.contents import has_data
from mobileq.targets.tflite.editing import ORDER_SUFFIX, add_reshape, add_tensor, add_transpose

_TRANSPOSED = "_transposed"
"""Ends the name of the tensor at the model's edge whose name another took over."""


def transpose_output(model: Any, position: int, permutation: tuple[int, ...]) -> None:
    """Append a TRANSPOSE, so that output `position` is `old.transpose(permutation)`.

    The new tensor takes over the old one's name, and signatures follow it.
    """
    graph = model.subgraphs[0]
    source = int(graph.outputs[position])
    shape = [int(graph.tensors[source].shape[axis]) for axis in permutation]
    target = _add_renamed(model, source, shape)
    add_transpose(model, source, target, permutation, target)
    graph.outputs = [int(index) for index in graph.outputs]  # read as a read-only array
    graph.outputs[position] = target
    redirect_signatures(model, source, target)


def transpose_input(model: Any, position: int, permutation: tuple[int, ...]) -> None:
    """Prepend a TRANSPOSE, so that the file computes with `new.transpose(permutation)`.

    Names and signatures as of `transpose_output`.
    """
    graph = model.subgraphs[0]
    target = int(graph.inputs[position])
    shape = [0] * len(permutation)
    for size, axis in zip(graph.tensors[target].shape, permutation, strict=True):
        shape[axis] = int(size)
    source = _add_renamed(model, target, shape)
    add_transpose(model, source, target, permutation, source)
    graph.operators.insert(0, graph.operators.pop())
    graph.inputs = [int(index) for index in graph.inputs]
    graph.inputs[position] = source
    redirect_signatures(model, target, source)


def reshape_output(model: Any, position: int, shape: tuple[int, ...]) -> None:
    """Append a RESHAPE to `shape`; names and signatures as of `transpose_output`."""
    graph = model.subgraphs[0]
    source = int(graph.outputs[position])
    target = _add_renamed(model, source, list(shape))
    add_reshape(model, source, target, shape)
    graph.outputs = [int(index) for index in graph.outputs]
    graph.outputs[position] = target
    redirect_signatures(model, source, target)


def reshape_input(model: Any, position: int, shape: tuple[int, ...]) -> None:
    """Prepend a RESHAPE, so that the file takes `shape`; the rest as of `reshape_output`."""
    graph = model.subgraphs[0]
    target = int(graph.inputs[position])
    inner = tuple(int(size) for size in graph.tensors[target].shape)
    source = _add_renamed(model, target, list(shape))
    add_reshape(model, source, target, inner)
    graph.operators.insert(0, graph.operators.pop())
    graph.inputs = [int(index) for index in graph.inputs]
    graph.inputs[position] = source
    redirect_signatures(model, target, source)


def unmade_outputs(model: Any) -> tuple[int, ...]:
    """Positions of the outputs that no op gives, and that are no input and no constant."""
    graph = model.subgraphs[0]
    made = {int(index) for op in graph.operators for index in op.outputs}
    made |= {int(index) for index in graph.inputs}
    return tuple(
        position
        for position, index in enumerate(graph.outputs)
        if int(index) not in made and not has_data(model, graph.tensors[int(index)])
    )


def copy_output(model: Any, source: int, position: int) -> None:
    """Append a RESHAPE that fills output `position`, which nothing made, with output `source`."""
    graph = model.subgraphs[0]
    given, target = int(graph.outputs[source]), int(graph.outputs[position])
    shape = tuple(int(size) for size in graph.tensors[given].shape)
    graph.tensors[target].shape = list(shape)
    graph.tensors[target].shapeSignature = None
    add_reshape(model, given, target, shape)


def before_transpose(name: str, present: Collection[str]) -> str:
    """What the tensor of this name is called since `transpose_output` put another in its place.

    Args:
        present: Names of all tensors of the file.
    """
    transposed = f"{name}{ORDER_SUFFIX}" in present
    return f"{name}{_TRANSPOSED}" if transposed else name


def _add_renamed(model: Any, index: int, shape: list[int]) -> int:
    """A tensor of another shape in the place of one at the model's edge, whose name it takes."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    old, new = graph.tensors[index], schema.TensorT()
    new.name, new.type, new.quantization = old.name, old.type, old.quantization
    new.shape = shape
    old.name = old.name + _TRANSPOSED.encode()
    return add_tensor(model, new)


def redirect_signatures(model: Any, source: int, target: int) -> None:
    """Let signatures that name the tensor `source` name `target` instead."""
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            if entry.tensorIndex == source:
                entry.tensorIndex = target


def order_outputs(model: Any, names: tuple[str, ...]) -> bool:
    """Put the outputs in the order of `names`, the signature's; whether that changed anything.

    A SavedModel's outputs have names and no order; TFLiteConverter makes up one. Nothing is done
    where the signature has other names.
    """
    signatures = model.signatureDefs or []
    if len(signatures) != 1:
        return False
    named = {bytes(each.name).decode(): each.tensorIndex for each in signatures[0].outputs}
    if len(named) != len(model.subgraphs[0].outputs) or set(named) != set(names):
        return False
    before = [int(index) for index in model.subgraphs[0].outputs]
    wanted = [int(named[name]) for name in names]
    model.subgraphs[0].outputs = wanted
    return before != wanted

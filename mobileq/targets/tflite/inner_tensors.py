"""Which tensors inside of a .tflite file are which of the ONNX model's, by their names alone: the
file is all that is left of its conversion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.spec import TensorSpec
from mobileq.targets.tflite import contents
from mobileq.targets.tflite.layout import CHANNELS_LAST, Order, fitting_orders
from mobileq.targets.tflite.tensors import declared

if TYPE_CHECKING:
    from onnx import ModelProto


def inner_tensors(
    file: Any, wanted: Iterable[TensorSpec], model: ModelProto
) -> tuple[TensorSpec, ...]:
    """Those of `wanted` that the file has, as it has them.

    onnx2tf 2.6.9 names tensors in NHWC after the op that gives or takes them, others as the model
    does. Where the shape does not tell the order of axes the tensor is left out.
    """
    tensors = file.subgraphs[0].tensors
    activations = (tensors[index] for index in contents.activation_indices(file))
    present = {each.name: each for each in map(declared, activations)}
    names = dict(_file_names(model))
    found = []
    for spec in wanted:
        inside = next((present[each] for each in names[spec.name] if each in present), None)
        order = None if inside is None else _order(spec.shape, inside.shape)
        if inside is None or order is None:
            continue
        if inside.dtype == "float32" or inside.quant is not None:
            found.append(
                msgspec.structs.replace(
                    inside,
                    name=spec.name,
                    layout=None,
                    permutation=() if order == tuple(range(len(order))) else order,
                )
            )
    return tuple(found)


def _file_names(model: ModelProto) -> Iterator[tuple[str, list[str]]]:
    """(a tensor of the model's, what it may be called in the file, the likeliest first)."""
    # Nameless ops get names of sng4onnx, which onnx2tf runs first.
    ops = [
        (node.name or f"sng_{node.op_type}_{at}", node) for at, node in enumerate(model.graph.node)
    ]
    takers: dict[str, list[str]] = {}
    for op, node in ops:
        for name in node.input[:1]:
            takers.setdefault(name, []).append(f"{op}_input_nhwc")
    for op, node in ops:
        for at, name in enumerate(node.output):
            given = [f"{op}_output_nhwc{each}" for each in ("_bias", "")] if at == 0 else []
            yield name, [*given, *takers.get(name, ()), name.replace(":", "__")]


def _order(model: tuple[int, ...], file: tuple[int, ...]) -> Order | None:
    """None where several would fit, or none but one that a converter hardly makes."""
    usual = (tuple(range(len(model))), CHANNELS_LAST.get(len(model)))
    orders = fitting_orders(model, file)
    return orders[0] if len(orders) == 1 and orders[0] in usual else None

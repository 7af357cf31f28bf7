"""From the ONNX model's tensors to the .tflite file's: ranges, and ops that stay float."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mobileq.targets.tflite import flatbuffer

Range = tuple[float, float]

_MOVING = frozenset(
    {"PAD", "TRANSPOSE", "RESHAPE", "STRIDED_SLICE", "SLICE", "MAX_POOL_2D", "SPLIT", "SQUEEZE"}
    | {"EXPAND_DIMS", "GATHER", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"}
)
"""Ops that give the values they take: one scale for both, and the precision of their neighbours."""


def read_correspondence(report: Path) -> dict[str, str]:
    """{ONNX tensor: TFLite tensor} from the report that onnx2tf (2.6.9) writes beside its file."""
    records = json.loads(report.read_text())["records"]
    return {
        record["onnx_output_name"]: record["resolved_tflite_tensor_name"]
        for record in records
        if record.get("exists_in_final_model") and record.get("resolved_tflite_tensor_name")
    }


def file_ranges(
    model: Any, names: Mapping[str, str], ranges: Mapping[str, Range]
) -> dict[str, Range]:
    """Ranges of the file's tensors, those of tensors that only it has taken from their source.

    Args:
        model: The float file (a schema `ModelT`).
        names: From `read_correspondence`, and the inputs' names.
        ranges: By ONNX name.
    """
    found = {names[name]: value for name, value in ranges.items() if name in names}
    for _, sources, results in _moving_ops(model):
        known = next((found[name] for name in sources if name in found), None)
        if known is not None:
            # Also where the file's tensor has a range of its own: the kernels copy integers.
            found.update(dict.fromkeys(results, known))
    return found


def float_outputs(model: Any, kept: Collection[str], known: Collection[str]) -> set[str]:
    """Output tensors of all ops that must be float.

    Args:
        kept: Output tensors of ops that are to stay float.
        known: Tensors that have a range; an op that takes or gives another one stays float.

    An op that only moves values stays float too where what it feeds or is fed by is float, or the
    values would be rounded for nothing.
    """
    wanted = set(kept) | _without_range(model, known)
    moving = list(_moving_ops(model))
    users = _users(model)
    changed = True
    while changed:
        changed = False
        for given, sources, results in moving:
            if given in wanted:
                continue
            fed = [name for result in results for name in users.get(result, ())]
            if any(name in wanted for name in fed) or any(name in wanted for name in sources):
                wanted.add(given)
                changed = True
    return wanted


def _tensor_names(model: Any, indices: Any) -> list[str]:
    tensors = model.subgraphs[0].tensors
    return [flatbuffer.tensor_name(tensors[int(index)]) for index in indices if int(index) >= 0]


def _moving_ops(model: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    """(name, activations it takes, tensors it gives) of each op that only moves values."""
    graph = model.subgraphs[0]
    activations = flatbuffer.activation_indices(model)
    for op in graph.operators:
        if flatbuffer.op_name(model, op) in _MOVING:
            taken = [index for index in op.inputs if int(index) in activations]
            results = _tensor_names(model, op.outputs)
            yield results[0], _tensor_names(model, taken), results


def _users(model: Any) -> dict[str, list[str]]:
    """{tensor: first output of each op that takes it}."""
    users: dict[str, list[str]] = {}
    for op in model.subgraphs[0].operators:
        given = _tensor_names(model, op.outputs)[0]
        for name in _tensor_names(model, op.inputs):
            users.setdefault(name, []).append(given)
    return users


def _without_range(model: Any, known: Collection[str]) -> set[str]:
    graph = model.subgraphs[0]
    activations = flatbuffer.activation_indices(model)
    found = set()
    for op in graph.operators:
        touched = [
            index
            for index in (*op.inputs, *op.outputs)
            if int(index) in activations
            and flatbuffer.dtype_name(graph.tensors[int(index)]) == "float32"
        ]
        names = _tensor_names(model, touched)
        if any(name not in known for name in names):
            found.update(_tensor_names(model, op.outputs))
    return found

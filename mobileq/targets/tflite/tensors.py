"""Which tensor of a .tflite file is which of the ONNX model's, and in what order of axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobileq.errors import VerificationError
from mobileq.spec import Layout, TensorSpec
from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.layout import find_permutation, inverse

_SCALED = ("int8", "uint8", "int16")


def file_tensors(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs as the file declares them, under its own names."""
    graph = model.subgraphs[0]
    inputs = tuple(_declared(graph.tensors[index]) for index in graph.inputs)
    outputs = tuple(_declared(graph.tensors[index]) for index in graph.outputs)
    return inputs, outputs


def _declared(tensor: Any) -> TensorSpec:
    name, dtype = flatbuffer.tensor_name(tensor), flatbuffer.dtype_name(tensor)
    shape = tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()
    return TensorSpec(
        name=name,
        artifact_name=name,
        shape=shape,
        dtype=dtype,
        layout="NHWC" if len(shape) == 4 and shape[3] in (1, 3, 4) else None,
        quant=flatbuffer.tensor_quant(tensor) if dtype in _SCALED else None,
    )


def match_tensors(
    model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
) -> tuple[TensorSpec, ...]:
    """The file's tensors under the model's names, with the order of their axes.

    Tensors correspond by position: onnx2tf 2.6.9 keeps the order but rewrites names (`x:1` becomes
    `x__1`). Raises VerificationError where number or shapes can't correspond.
    """
    if len(model) != len(file):
        raise VerificationError(
            f"The converted file has {len(file)} tensors at its edge where the model has "
            f"{len(model)}.",
            "Try the other --engine.",
        )
    return tuple(_matched(wanted, found) for wanted, found in zip(model, file, strict=True))


def _matched(wanted: TensorSpec, found: TensorSpec) -> TensorSpec:
    order = find_permutation(wanted.shape, found.shape)
    if order is None:
        raise VerificationError(
            f"The converted file's {wanted.name!r} has shape {list(found.shape)} where the model "
            f"has {list(wanted.shape)}.",
            "Try the other --engine.",
        )
    changed = order != tuple(range(len(order)))
    layout: Layout | None = wanted.layout
    if changed and layout:
        layout = "NHWC" if layout == "NCHW" else "NCHW"
    return TensorSpec(
        name=wanted.name,
        artifact_name=found.artifact_name,
        shape=found.shape,
        dtype=found.dtype,
        layout=layout,
        quant=found.quant,
        permutation=order if changed else None,
    )


def restore_output_layouts(path: Path, outputs: tuple[TensorSpec, ...]) -> None:
    """Rewrite the file so that its outputs have the model's order of axes again.

    onnx2tf 2.6.9 drops a transpose at the end: YOLOX's [1, 3549, 85] comes out as [1, 85, 3549].
    """
    model = flatbuffer.read_model(path)
    matched = match_tensors(outputs, file_tensors(model)[1])
    changed = [(at, spec) for at, spec in enumerate(matched) if spec.permutation]
    for position, spec in changed:
        assert spec.permutation is not None
        flatbuffer.transpose_output(model, position, inverse(spec.permutation))
    if changed:
        flatbuffer.write_model(model, path)

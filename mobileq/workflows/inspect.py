"""`mobileq inspect`: what a model file or a bundle takes, gives and is made of."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Unpack

from mobileq.errors import UsageError
from mobileq.paths import StrPath
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.inspection import BundleInspection, Inspection, QuantizedTensor
from mobileq.workflows.opening import OpenModel, Overrides, file_kind, prepared_by, require_settable


@takes(ModelChoices)
def inspect(
    path: StrPath, overrides: Overrides | None = None, **choices: Unpack[ModelChoices]
) -> Inspection | BundleInspection:
    """Read a model file, or a bundle's manifest; nothing of it is run.

    Args:
        path: A .onnx, .tflite or .mnn file, or a bundle's folder.
        overrides, choices: What a file does not say itself, see `detect`.

    Raises:
        UsageError: There is no such file, or it is of no kind that mobileq knows.
        InputError: It is damaged.
    """
    path, said = Path(path), chosen_overrides(overrides, choices)
    if path.is_dir():
        return _bundle(path, said)
    readers = {".onnx": _onnx, ".tflite": _tflite, ".mnn": _mnn}
    kind = file_kind(path)
    require_settable(path, kind, said)
    return readers[kind](path, said)


def _bundle(path: Path, overrides: Overrides) -> BundleInspection:
    from mobileq.bundle import read_bundle

    manifest = read_bundle(path).manifest
    if overrides != Overrides():
        raise UsageError(
            f"{path} is a bundle, which says itself how it is fed and read.",
            "Inspect its ONNX model, or convert with these options.",
        )
    size_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    return BundleInspection(path=str(path), size_bytes=size_bytes, manifest=manifest)


def _onnx(path: Path, overrides: Overrides) -> Inspection:
    with tempfile.TemporaryDirectory(prefix="mobileq-", ignore_cleanup_errors=True) as folder:
        prepared = prepared_by(path, overrides, Path(folder))
    return Inspection(
        path=str(path),
        format="onnx",
        size_bytes=path.stat().st_size,
        opset=prepared.opset,
        inputs=prepared.spec.inputs,
        outputs=prepared.spec.outputs,
        ops=prepared.file_ops,
        tensor_types=prepared.file_tensors,
        model=prepared.spec,
        notices=prepared.notices,
    )


def _tflite(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.tflite import counting, flatbuffer
    from mobileq.targets.tflite.tensors import code_limits, file_tensors, quantized_activations
    from mobileq.workflows.opening import open_model

    graph = flatbuffer.read_model(path)
    inputs, outputs = file_tensors(graph)
    opened: OpenModel = open_model(path, None, overrides)
    return Inspection(
        path=str(path),
        format="tflite",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=inputs,
        outputs=outputs,
        ops=counting.op_counts(graph),
        tensor_types=counting.tensor_types(graph),
        quantized=tuple(
            _quantized(name, dtype, quant.scale[0], quant.zero_point[0], *code_limits(dtype))
            for name, dtype, quant in quantized_activations(graph)
        ),
        model=opened.spec,
        notices=opened.notices,
    )


def _mnn(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.mnn.metadata import embedded_spec
    from mobileq.targets.mnn.outline import read_outline

    outline = read_outline(path)
    spec = embedded_spec(path)
    return Inspection(
        path=str(path),
        format="mnn",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=outline.inputs,
        outputs=outline.outputs,
        ops=outline.ops,
        tensor_types=outline.weight_types,
        quantized=tuple(
            _quantized(name, "int8", *found) for name, found in outline.quantized.items()
        ),
        model=spec,
        notices=() if spec else ("This file does not say how its input is prepared.",),
    )


def _quantized(
    name: str, dtype: str, scale: float, zero_point: int, lowest: int, highest: int
) -> QuantizedTensor:
    return QuantizedTensor(
        name=name,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        min=scale * (lowest - zero_point),
        max=scale * (highest - zero_point),
    )

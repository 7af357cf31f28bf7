"""`mobileq inspect`: what a model file or a bundle takes, gives and is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from mobileq.errors import UsageError
from mobileq.paths import StrPath
from mobileq.staging import temporary_folder
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.inspection import BundleInspection, Inspection
from mobileq.workflows.opening import (
    Overrides,
    file_target,
    open_model,
    prepared_by,
    require_settable,
)


@takes(ModelChoices)
def inspect(
    path: StrPath, overrides: Overrides | None = None, **choices: Unpack[ModelChoices]
) -> Inspection | BundleInspection:
    """Read a model file, or a bundle's manifest; nothing of it is run.

    Args:
        path: An ONNX file, one of a target's, or a bundle's folder.
        overrides, choices: What a file does not say itself, see `detect`.

    Raises:
        UsageError: There is no such file, or it is of no kind that mobileq knows.
        InputError: It is damaged.
    """
    path, said = Path(path), chosen_overrides(overrides, choices)
    if path.is_dir():
        return _bundle(path, said)
    target = file_target(path)
    require_settable(path, target, said)
    return _onnx(path, said) if target is None else _converted(path, said)


def _bundle(path: Path, overrides: Overrides) -> BundleInspection:
    from mobileq.bundle import read_bundle

    bundle = read_bundle(path)
    manifest = bundle.manifest
    if overrides != Overrides():
        raise UsageError(
            f"{path} is a bundle, which says itself how it is fed and read.",
            "Inspect its ONNX model, or convert with these options.",
        )
    size_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    return BundleInspection(
        path=str(path), size_bytes=size_bytes, manifest=manifest, benches=tuple(bundle.benches)
    )


def _onnx(path: Path, overrides: Overrides) -> Inspection:
    with temporary_folder() as folder:
        prepared = prepared_by(path, overrides, folder)
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


def _converted(path: Path, overrides: Overrides) -> Inspection:
    opened = open_model(path, None, overrides)
    assert opened.file is not None
    assert opened.target is not None
    return Inspection(
        path=str(path),
        format=opened.target,
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=opened.file.inputs,
        outputs=opened.file.outputs,
        ops=dict(opened.file.ops),
        tensor_types=dict(opened.file.tensor_types),
        quantized=opened.file.quantized,
        model=opened.spec,
        notices=opened.notices,
    )

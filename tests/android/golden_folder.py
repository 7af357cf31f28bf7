"""What the folder of a golden case holds: a frame, a manifest, tensors as a file has them, and what
Python says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobileq.manifest import BundleManifest, FileEntry, RunInfo, SourceInfo, seal, to_json
from mobileq.spec import (
    Artifact,
    ModelSpec,
    QuantParams,
    QuantRecipe,
    TensorSpec,
)
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.preprocess import dequantize, quantize


@dataclass(frozen=True)
class View:
    """How a frame is stored and which part of it counts."""

    width: int
    height: int
    padding: int
    rotation: int
    crop: tuple[int, int, int, int]


def framed(view: View) -> tuple[np.ndarray, np.ndarray]:
    """A frame of noise (uint8 [H, W, 3]), and the part of it that counts."""
    pixels = np.random.default_rng(view.width).integers(
        0, 256, (view.height, view.width, 3), dtype=np.uint8
    )
    left, top, width, height = view.crop
    return pixels, np.ascontiguousarray(pixels[top : top + height, left : left + width])


def boxes(found: Detections) -> dict[str, object]:
    """A detector's answer, in pixels of the whole frame."""
    listed = [
        [*map(float, box), float(score), float(class_id)]
        for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True)
    ]
    return {"detections": [listed]}


def write_folder(
    folder: Path,
    manifest: BundleManifest,
    pixels: np.ndarray,
    view: View,
    stored_input: np.ndarray,
    stored_outputs: Sequence[np.ndarray],
    answer: Mapping[str, object],
    artifact: int = 0,
) -> None:
    """One case; `pixels` is RGB, and `answer` what Python makes of the outputs."""
    folder.mkdir(parents=True)
    opacity = np.random.default_rng(7).integers(0, 256, (*pixels.shape[:2], 1), np.uint8)
    rows = np.concatenate([pixels, opacity], axis=2).reshape(view.height, -1)
    rows = np.pad(rows, ((0, 0), (0, view.padding)), constant_values=99)
    (folder / "frame.bin").write_bytes(rows.tobytes())
    (folder / "input.bin").write_bytes(stored_input.tobytes())
    for position, stored in enumerate(stored_outputs):
        (folder / f"output-{position}.bin").write_bytes(stored.tobytes())
    (folder / "manifest.json").write_bytes(to_json(manifest))
    case = {
        "artifact": artifact,
        "width": view.width,
        "height": view.height,
        "row_stride": rows.shape[1],
        "rotation": view.rotation,
        "crop": view.crop,
        **answer,
    }
    (folder / "case.json").write_text(json.dumps(case))


def as_seen(spec: TensorSpec, stored: np.ndarray) -> np.ndarray:
    """What a file's output means, in the model's order of axes."""
    seen = dequantize(stored, spec.quant) if spec.quant else stored
    return seen.transpose(np.argsort(spec.permutation)) if spec.permutation else seen


def as_stored(
    name: str, array: np.ndarray, dtype: str, order: tuple[int, ...] | None
) -> tuple[TensorSpec, np.ndarray]:
    """What a file would declare for the array, and hold: its type and its order of axes."""
    stored = np.ascontiguousarray(array.transpose(order) if order else array)
    quant = None
    if dtype != "float32":
        quant = quant_of(array, dtype)
        stored = quantize(stored, quant, dtype)
    spec = TensorSpec(
        name=name,
        artifact_name=f"file_{name}",
        shape=stored.shape,
        dtype=dtype,
        quant=quant,
        permutation=order,
    )
    return spec, stored


def quant_of(array: np.ndarray, dtype: str) -> QuantParams:
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    scale = float(np.float32((high - low) / 255))
    lowest = np.iinfo(dtype).min
    return QuantParams(scale=(scale,), zero_point=(int(lowest + round(-low / scale)),))


def bundle_of(
    model: ModelSpec,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    raw: DecodeSpec | None = None,
) -> BundleManifest:
    """With one artifact; `raw` is its head where the model's own is another."""
    artifact = Artifact(
        target="tflite",
        precision="int8",
        path="models/golden-int8.tflite",
        sha256="0" * 64,
        size_bytes=1,
        inputs=inputs,
        outputs=outputs,
        recipe=QuantRecipe(precision="int8", head="raw" if raw else "decoded"),
        decode=raw,
    )
    return seal(
        BundleManifest(
            model=model,
            source=SourceInfo(file_name="m.onnx", sha256="0" * 64, opset=17, size_bytes=1),
            artifacts=(artifact,),
            run=RunInfo(created="2026-01-01T00:00:00+00:00"),
            files={artifact.path: FileEntry(sha256="0" * 64, size_bytes=1)},
        )
    )

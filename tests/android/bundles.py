"""A small bundle to render projects from, and a small classifier to make one of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import onnx
import onnx.parser

from mobileq.bundle import BundleWriter
from mobileq.manifest import BundleManifest, RunInfo, SourceInfo
from mobileq.spec import Artifact, ModelSpec, PreprocessSpec, QuantRecipe, TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput

MODEL_BYTES = b"a model"


def write_bundle(
    folder: Path,
    targets: tuple[str, ...] = ("tflite",),
    inputs: int = 1,
    name: str = "birds",
    changed: Mapping[str, Any] | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> Path:
    """A bundle whose model files are no models, but `contents` of each target; `changed` are fields
    of the model."""
    model = ModelSpec(
        name=name,
        task="detect",
        family="yolov8",
        inputs=tuple(
            TensorSpec(name=f"in{at}", shape=(1, 3, 64, 96), dtype="float32")
            for at in range(inputs)
        ),
        outputs=(TensorSpec(name="out", shape=(1, 6, 126), dtype="float32"),),
        preprocess=PreprocessSpec(width=96, height=64),
        decode=DecodeSpec(
            kind="yolov8",
            class_count=2,
            outputs=(HeadOutput(name="out", role="predictions"),),
        ),
        labels=("tit", "owl"),
    )
    model = msgspec.structs.replace(model, **(changed or {}))
    with BundleWriter(folder) as writer:
        artifacts = []
        for target in targets:
            path = f"models/{name}-fp32.{target}"
            content = (contents or {}).get(target, MODEL_BYTES)
            writer.add_bytes(path, content)
            artifacts.append(_artifact(model, target, path, content))
        writer.add_bytes("labels.txt", b"tit\nowl\n")
        return writer.finish(
            BundleManifest(
                model=model,
                source=SourceInfo(file_name="m.onnx", sha256="0" * 64, opset=17, size_bytes=1),
                artifacts=tuple(artifacts),
                run=RunInfo(created="2026-01-01T00:00:00+00:00"),
            )
        ).path


def _artifact(model: ModelSpec, target: str, path: str, content: bytes) -> Artifact:
    return Artifact(
        target=target,
        precision="fp32",
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        inputs=model.inputs,
        outputs=model.outputs,
        recipe=QuantRecipe(precision="fp32"),
    )


def colours_model(*, lights: bool = False) -> onnx.ModelProto:
    """A classifier that tells what colour a picture has, 32x32: probabilities of six classes; with
    `lights` also, in an output of its own, whether it is dim or lit."""
    outputs, light = "float[1,6] y", ""
    if lights:
        outputs += ", float[1,2] light"
        light = "l = Gemm<transB=1>(f, v) light = Softmax(l)"
    return onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 17]> colours (float[1,3,32,32] x) => ({outputs})
        <float[6,3] w = {{6, -3, -3, -3, 6, -3, -3, -3, 6, 3, 3, -6, -3, -3, -3, 3, 3, 3}},
         float[6] b = {{0, 0, 0, 0, 3, -3}}, float[2,3] v = {{-1, -1, -1, 1, 1, 1}}> {{
            p = GlobalAveragePool(x)
            f = Flatten(p)
            z = Gemm<transB=1>(f, w, b)
            y = Softmax(z)
            {light}
        }}"""
    )

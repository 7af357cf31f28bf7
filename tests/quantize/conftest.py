"""The demo detector, prepared, and what its activations reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from mobileq.preparation.prepare import PreparedModel, prepare
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.spec import TensorRange
from mobileq.vision.preprocess import feed_picture, read_image

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"


@pytest.fixture(scope="package")
def demo() -> PreparedModel:
    return prepare(DEMO / "demo.onnx")


@pytest.fixture(scope="package")
def samples(demo: PreparedModel) -> list[dict[str, Any]]:
    pictures = sorted((DEMO / "calibration" / "images").glob("*.jpg"))[:4]
    return [feed_picture(demo.spec, read_image(path))[0] for path in pictures]


@pytest.fixture(scope="package")
def groups(demo: PreparedModel) -> tuple[OpGroup, ...]:
    return find_groups(demo.model)


@pytest.fixture(scope="package")
def ranges(
    demo: PreparedModel, groups: tuple[OpGroup, ...], samples: list[dict[str, Any]]
) -> dict[str, TensorRange]:
    """Smallest and largest value of every tensor that a group touches, by brute force."""
    names = sorted({name for group in groups for name in (*group.inputs, *group.tensors)})
    model = onnx.ModelProto()
    model.CopyFrom(demo.model)
    inner = [name for name in names if name != "images"]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inner
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: dict[str, TensorRange] = {"images": TensorRange(min=0.0, max=1.0)}
    for feeds in samples:
        for name, value in zip(inner, session.run(inner, feeds), strict=True):
            low, high = float(value.min()), float(value.max())
            before = found.get(name, TensorRange(min=low, max=high))
            found[name] = TensorRange(min=min(low, before.min), max=max(high, before.max))
    return found

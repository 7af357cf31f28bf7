"""Raw heads, and the candidates that they give."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import ModelProto

from mobileq.errors import UsageError
from mobileq.graph.trial_run import run
from mobileq.preparation.prepare import PreparedModel
from mobileq.spec import ModelSpec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import Candidates, decode
from mobileq.tasks.detect.raw_head import raw_head
from mobileq.vision.preprocess import feed_picture

from .head_builders import STRIDES


def decode_of(spec: ModelSpec) -> DecodeSpec:
    assert spec.decode is not None
    return spec.decode


def roles(spec: ModelSpec) -> list[tuple[str, str, int | None]]:
    return [(output.name, output.role, output.stride) for output in decode_of(spec).outputs]


def candidates(model: ModelProto, spec: ModelSpec, picture: np.ndarray) -> Candidates:
    outputs = run(model, feed_picture(spec, picture)[0])  # type: ignore[arg-type]
    assert spec.preprocess is not None
    arrays = {name: np.asarray(value, np.float32) for name, value in outputs.items()}
    return decode(decode_of(spec), arrays, spec.preprocess.width, spec.preprocess.height)


def assert_same_candidates(given: PreparedModel, model: ModelProto, spec: ModelSpec) -> None:
    picture = np.random.default_rng(11).integers(0, 256, (120, 200, 3), np.uint8)
    expected, actual = (
        candidates(given.model, given.spec, picture),
        candidates(model, spec, picture),
    )
    np.testing.assert_allclose(actual.xyxy, expected.xyxy, rtol=1e-6, atol=0.01)
    if expected.scores is not None:
        assert expected.scores.max() > 0.1
        assert actual.scores is not None
        np.testing.assert_allclose(actual.scores, expected.scores, rtol=0, atol=1e-5)
    else:
        assert actual.score is not None
        assert expected.score is not None
        np.testing.assert_allclose(actual.score, expected.score, rtol=0, atol=1e-5)
        assert np.array_equal(actual.class_id, expected.class_id)  # type: ignore[arg-type]


def refusal(given: PreparedModel, spec: ModelSpec | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        raw_head(given.model, spec or given.spec)
    assert "--head decoded" in caught.value.hint
    assert caught.value.message.startswith("small cannot be cut at its last convolutions: ")
    assert caught.value.message.endswith(".")
    return caught.value.message


def with_decode(spec: ModelSpec, **changes: object) -> ModelSpec:
    return msgspec.structs.replace(spec, decode=msgspec.structs.replace(decode_of(spec), **changes))


def rows(
    *names: tuple[str, str], strides: tuple[int, ...] = STRIDES, joint: bool = False
) -> list[Any]:
    """`joint`: these are parts of one convolution, and are named after what they hold."""
    return [
        (f"{name}{stride}.{role}" if joint else f"{name}{stride}", role, stride)
        for stride in strides
        for name, role in names
    ]


YOLOV8 = rows(("b", "box_distribution"), ("c", "class_logits"))

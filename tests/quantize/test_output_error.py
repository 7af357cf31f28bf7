"""What a file's outputs are judged by: its candidates, or plain noise."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.preparation.prepare import PreparedModel
from mobileq.quantize.output_error import Reference
from mobileq.spec import ModelSpec
from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

from .noise import output_distance


def noise(reference: dict[str, Any], found: dict[str, Any]) -> float:
    spec = ModelSpec(name="m", task="unknown", family=None, inputs=(), outputs=())
    return Reference(spec, reference).compare(found).noise


@pytest.fixture(scope="module")
def outputs(demo: PreparedModel, samples: list[dict[str, Any]]) -> dict[str, Any]:
    data = demo.model.SerializeToString()
    runner = OnnxRuntimeRunner(data, demo.spec.inputs, demo.spec.outputs)
    found = [runner.run(feeds) for feeds in samples]
    runner.close()
    # A picture in which something is seen.
    return max(found, key=lambda each: float(each["output0"][:, 4:].max()))


def noisy(outputs: dict[str, Any], level: float) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    return {
        name: (value + draw.normal(0, level, value.shape)).astype(np.float32)
        for name, value in outputs.items()
    }


def without(spec: ModelSpec, **fields: Any) -> ModelSpec:
    return msgspec.structs.replace(spec, **fields)


def test_candidates_are_compared_where_they_can_be(
    demo: PreparedModel, outputs: dict[str, Any]
) -> None:
    distance = output_distance(demo.spec)
    assert distance(outputs, outputs) == 0.0
    little, much = (distance(outputs, noisy(outputs, level)) for level in (0.001, 0.01))
    assert 0.0 < little < much
    # Noise of the size that scores have is little beside that of the boxes' pixels.
    assert noise(outputs, noisy(outputs, 0.01)) < 1e-6 < much


def test_picture_without_objects_counts_little(
    demo: PreparedModel, outputs: dict[str, Any]
) -> None:
    name = demo.spec.outputs[0].name
    empty = {name: np.zeros_like(outputs[name])}
    empty[name][:, 0] = 1.0
    distance = output_distance(demo.spec)
    assert distance(empty, empty) == 0.0
    found = noisy(empty, 0.01)
    assert 0.0 < distance(empty, found) == pytest.approx(noise(empty, found) * 1e-3)


@pytest.mark.parametrize("field", ["decode", "preprocess"])
def test_plain_noise_where_nothing_can_be_decoded(
    demo: PreparedModel, outputs: dict[str, Any], field: str
) -> None:
    found = noisy(outputs, 0.01)
    distance = output_distance(without(demo.spec, **{field: None}))
    assert distance(outputs, found) == noise(outputs, found)


@pytest.mark.parametrize("kind", ["end2end", "ssd"])
def test_plain_noise_where_the_graph_sorts(
    demo: PreparedModel, outputs: dict[str, Any], kind: str
) -> None:
    assert demo.spec.decode is not None
    sorting = msgspec.structs.replace(demo.spec.decode, kind=kind)
    found = noisy(outputs, 0.01)
    distance = output_distance(without(demo.spec, decode=sorting))
    assert distance(outputs, found) == noise(outputs, found)


def test_noise_is_the_mean_share_of_all_outputs() -> None:
    reference = {"a": np.float32([3, 4]), "b": np.float32([1])}
    found = {"a": np.float32([3, 4.5]), "b": np.float32([1.2])}
    assert noise(reference, found) == pytest.approx((0.25 / 25 + 0.04) / 2, rel=1e-5)
    assert noise(reference, reference) == 0.0


def test_noise_of_an_output_that_is_always_zero() -> None:
    silent = {"a": np.zeros(3, np.float32)}
    assert noise(silent, silent) == 0.0
    assert noise(silent, {"a": np.float32([0, 0.1, 0])}) == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_are_the_worst_of_all(value: float) -> None:
    reference = {"a": np.float32([1, 2])}
    bad = noise(reference, {"a": np.float32([1, value])})
    assert np.isfinite(bad)
    assert bad > noise(reference, {"a": np.float32([-100, 100])})
    # Unless the float model gives the same.
    assert noise({"a": np.float32([1, value])}, {"a": np.float32([1, 5])}) == 0.0

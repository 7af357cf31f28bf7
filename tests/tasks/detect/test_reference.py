"""What a file's outputs are judged by: its candidates, or plain noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.preparation.prepare import PreparedModel, prepare
from mobileq.spec import ModelSpec
from mobileq.targets.reference import ReferenceRunner
from mobileq.tasks.base import task_of
from mobileq.tasks.detect.candidate_error import candidate_error
from mobileq.tasks.detect.decode import decode
from mobileq.tasks.detect.nms import Thresholds, select
from mobileq.tasks.detect.raw_head import raw_head
from mobileq.tasks.noise import NoiseReference
from mobileq.vision.preprocess import feed_picture, read_image

DEMO = Path(__file__).resolve().parents[3] / "assets" / "demo"


def noise(reference: dict[str, Any], found: dict[str, Any]) -> float:
    return NoiseReference(reference).compare(found).noise


def output_distance(spec: ModelSpec) -> Callable[[Mapping[str, Any], Mapping[str, Any]], float]:
    task = task_of(spec)

    def distance(reference: Mapping[str, Any], found: Mapping[str, Any]) -> float:
        known = task.reference(reference)
        error = known.error(found)
        assert error == known.compare(found).error
        return error

    return distance


@pytest.fixture(scope="module")
def demo() -> PreparedModel:
    return prepare(DEMO / "demo.onnx")


@pytest.fixture(scope="module")
def outputs(demo: PreparedModel) -> dict[str, Any]:
    data = demo.model.SerializeToString()
    runner = ReferenceRunner(data, demo.spec.inputs, demo.spec.outputs)
    pictures = sorted((DEMO / "calibration" / "images").glob("*.jpg"))[:4]
    found = [runner.run(feed_picture(demo.spec, read_image(path))[0]) for path in pictures]
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


def test_cells_that_are_of_nothing_need_no_decoding(demo: PreparedModel) -> None:
    """What is told is that of all cells decoded, to the last bit; of a raw head they are not."""
    model, spec = raw_head(demo.model, demo.spec)
    assert spec.decode is not None
    assert spec.preprocess is not None
    runner = ReferenceRunner(model.SerializeToString(), spec.inputs, spec.outputs)
    pictures = sorted((DEMO / "calibration" / "images").glob("*.jpg"))[:4]
    size = spec.preprocess.width, spec.preprocess.height
    errors = []
    for path in pictures:
        wanted = dict(runner.run(feed_picture(spec, read_image(path))[0]))
        found = noisy(wanted, 0.5)
        every, other = (decode(spec.decode, each, *size, -math.inf) for each in (wanted, found))
        known = task_of(spec).reference(wanted, answers=True)
        error = candidate_error(every, other)
        if error is not None:
            errors.append(error)
            assert known.error(found) == known.compare(found).error == error
            assert task_of(spec).reference(wanted).error(found) == error
        for answer, candidates in ((known.answer, every), (known.compare(found).answer, other)):
            chosen = select(candidates, Thresholds.evaluation())
            np.testing.assert_array_equal(answer.xyxy, chosen.xyxy)
            np.testing.assert_array_equal(answer.score, chosen.score)
    runner.close()
    assert len(errors) > 1
    assert min(errors) > 0

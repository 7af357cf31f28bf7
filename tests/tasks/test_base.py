"""What everybody may rely on of each room behind the door of tasks."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mobileq.calibration.samples import Picture, Sample
from mobileq.errors import UsageError
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.spec.classes import ClassesSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.base import COUNT, Compared, Limits, Measure, Task, measure_of, parts, task_of
from mobileq.vision.preprocess import feed_picture

ROWS = 20


def _spec(task: Any, shape: tuple[int, ...], **known: Any) -> ModelSpec:
    return ModelSpec(
        name="model",
        task=task,
        family=None,
        inputs=(TensorSpec(name="x", shape=(1, 3, 64, 64), dtype="float32", layout="NCHW"),),
        outputs=(TensorSpec(name="y", shape=shape, dtype="float32"),),
        preprocess=PreprocessSpec(width=64, height=64),
        **known,
    )


SPECS = {
    "detect": _spec(
        "detect",
        (1, ROWS, 6),
        decode=DecodeSpec(
            kind="end2end",
            class_count=2,
            outputs=(HeadOutput(name="y", role="predictions"),),
            box_format="xyxy",
        ),
        labels=("cat", "dog"),
    ),
    "classify": _spec("classify", (1, 7), classes=ClassesSpec(class_count=7), labels=(*"abcdefg",)),
    "tensors": _spec("unknown", (1, 1000)),
}
"""A model of each room's."""


def _outputs(spec: ModelSpec) -> dict[str, Any]:
    """Ones that an end-to-end detector and anything else may give."""
    drawn = np.random.default_rng(0).random(spec.outputs[0].shape, np.float32)
    if spec.decode is not None:
        drawn[..., :2] *= 20
        drawn[..., 2:4] = drawn[..., :2] + 30
        drawn[..., 5] = drawn[..., 5] > 0.5
    return {"y": drawn}


def _sample(spec: ModelSpec) -> Sample:
    image = np.full((48, 64, 3), 90, np.uint8)
    feeds, transform = feed_picture(spec, image)
    return Sample("a", feeds, (Picture(image, transform),))


@pytest.fixture(params=[room for room, _ in parts("task")])
def spec(request: pytest.FixtureRequest) -> ModelSpec:
    return SPECS[request.param]


@pytest.fixture
def task(spec: ModelSpec) -> Task:
    return task_of(spec)


def test_every_room_takes_its_own(spec: ModelSpec, task: Task) -> None:
    assert SPECS[task.name] is spec
    assert isinstance(task, Task)
    assert measure_of(task.name) == task.measure


def test_every_room_has_the_doors_methods_with_its_arguments(task: Task) -> None:
    wanted = {name: each for name, each in vars(Task).items() if inspect.isfunction(each)}
    for name, method in wanted.items():
        if not name.startswith("_"):
            found = inspect.signature(getattr(type(task), name))
            assert list(found.parameters) == list(inspect.signature(method).parameters), name
    assert len(wanted) > 8


def test_answers_are_read_one_for_each_picture_and_agree_with_themselves(
    spec: ModelSpec, task: Task
) -> None:
    for level in ("shown", "all"):
        answers = task.read(_outputs(spec), _sample(spec), level)
        assert len(answers) == (task.measure is not None)
        if task.measure is not None:
            scored = task.agreement(answers, answers)
            figures = scored.figures
            assert scored.resampled(np.ones((3, len(answers)))) == pytest.approx(1.0)
            assert task.measure.value(figures) == pytest.approx(1.0)
            assert figures[COUNT] == sum(map(task.count, answers)) > 0
            assert task.golden(answers)
            same = task.difference(answers[0], answers[0])
            assert (same.amount, same.told) == (0.0, ())


def test_every_room_tells_a_person_and_shows_or_keeps_what_it_tells(
    spec: ModelSpec, task: Task
) -> None:
    sample, predictor = _sample(spec), task.predictor(Limits())
    answer = predictor.read(_outputs(spec), sample)
    told = predictor.told(answer, "a/b.png", 3, "drawn/b.png")
    assert (told.name, told.drawn, len(told.items) > 0) == ("b.png #3", "drawn/b.png", True)
    assert {len(each.cells) for each in told.items} == {len(told.columns)}
    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
    image = sample.pictures[0].image
    assert image is not None
    if predictor.draw is None:
        assert all(isinstance(each, np.ndarray) for each in answer.values())
        with pytest.raises(UsageError, match="nothing has a score"):
            task.predictor(Limits(top=1))
        return
    drawn = predictor.draw(image, answer)
    assert drawn.shape == image.shape
    assert (drawn != image).any()
    assert (image == 90).all()
    best = task.predictor(Limits(top=1))
    (only,) = best.told(best.read(_outputs(spec), sample), "", None, None).items
    assert only == told.items[0]
    none = task.predictor(Limits(score=1.0))
    assert none.told(none.read(_outputs(spec), sample), "", None, None).items == ()


def test_limits_are_within_bounds() -> None:
    for wrong in ({"score": 1.5}, {"score": float("nan")}, {"top": 0}):
        with pytest.raises(UsageError):
            Limits(**wrong)  # type: ignore[arg-type]


def test_reference_is_as_good_as_itself_and_noise_costs(spec: ModelSpec, task: Task) -> None:
    outputs = _outputs(spec)
    reference = task.reference(outputs, answers=True)
    same = reference.compare(outputs)
    assert (same.error, same.noise) == (0.0, 0.0)
    assert (same.answer is None) == (reference.answer is None) == (task.measure is None)
    near, far = (
        reference.compare({"y": outputs["y"] * np.float32(factor)}) for factor in (1.001, 1.1)
    )
    assert 0.0 < near.error < far.error
    assert 0.0 < near.noise < far.noise


def test_measures_are_told_in_words_and_floors_are_shares(spec: ModelSpec, task: Task) -> None:
    if task.measure is None:
        with pytest.raises(UsageError, match="model"):
            task.truth(Path("labels.json"), None)
        return
    told = {each.name: getattr(task.measure, each.name) for each in fields(Measure)}
    assert all(text for text in told.values() if isinstance(text, str))
    assert all(0.0 < floor < 1.0 for floor in task.measure.floors.values())
    assert all(column.of in ("accuracy", "agreement") for column in task.measure.columns)


@given(
    shape=arrays.array_shapes(max_dims=5, max_side=4),
    dtype=st.sampled_from(["float32", "int64", "bool", "uint8"]),
    data=st.data(),
)
def test_numbers_of_any_model_are_judged(shape: Any, dtype: str, data: st.DataObject) -> None:
    spec = ModelSpec(name="any", task="unknown", family=None, inputs=(), outputs=())
    task = task_of(spec)
    assert task.name == "tensors"
    wanted, found = (
        {"y": data.draw(arrays.arrays(dtype, shape)).astype(np.float32)} for _ in range(2)
    )
    compared = task.reference(wanted).compare(found)
    assert isinstance(compared, Compared)
    assert compared.error == compared.noise >= 0.0
    assert np.isfinite(compared.error)
    assert task.reference(wanted).compare(wanted).error == 0.0
    assert task.read(found, Sample("a", {}), "all") == ()

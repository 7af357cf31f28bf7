"""Random gradients whose squares are, on average, the error that small changes make."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.tasks.base import Reference, task_of
from mobileq.tasks.noise import NoiseReference

from .detect.decode.slope_cases import CASES, HEIGHT, WIDTH, outputs_of

Arrays = dict[str, np.ndarray]
DRAWS, CHANGES = 200, 64


def spec_of(outputs: Arrays, batch: int = 1, **reading: Any) -> ModelSpec:
    picture = TensorSpec(name="x", shape=(batch, 3, HEIGHT, WIDTH), dtype="float32")
    given = tuple(TensorSpec(name=n, shape=a.shape, dtype="float32") for n, a in outputs.items())
    return ModelSpec(
        name="m", task="unknown", family=None, inputs=(picture,), outputs=given,
        preprocess=PreprocessSpec(width=WIDTH, height=HEIGHT), **reading,
    )  # fmt: skip


def assert_squares_are_the_error(
    reference: Reference, outputs: Arrays, step: float = 1e-3
) -> list[Any]:
    """Within four standard errors of an average over many draws; returns these."""
    random = np.random.default_rng(2)
    draws = [reference.slopes(random) for _ in range(DRAWS)]
    for drawn in draws:
        assert {name: each.shape for name, each in drawn.items()} == {
            name: each.shape for name, each in outputs.items()
        }
        assert all(each.dtype == np.float32 for each in drawn.values())
    projected = np.zeros((DRAWS, CHANGES))
    changes = [
        {name: random.normal(0, step, each.shape).astype("f4") for name, each in outputs.items()}
        for _ in range(CHANGES)
    ]
    for name in outputs:
        slopes = np.array([drawn[name].ravel() for drawn in draws], np.float64)
        projected += slopes @ np.array([off[name].ravel() for off in changes], np.float64).T
    errors = [reference.error({n: outputs[n] + off[n] for n in outputs}) for off in changes]
    assert min(errors) > 0.0
    ratios = (np.square(projected) / errors).mean(axis=1)
    spread = ratios.std() / np.sqrt(DRAWS)
    assert spread < 0.04
    assert ratios.mean() == pytest.approx(1.0, abs=4 * spread + 0.003)
    return draws


@pytest.mark.parametrize("case", CASES)
def test_slopes_of_detectors(case: str) -> None:
    outputs = outputs_of(case)
    spec = spec_of(outputs, decode=CASES[case][0])
    assert_squares_are_the_error(task_of(spec).reference(outputs), outputs)


def hidden(case: str) -> Arrays:
    """As its outputs, with nothing seen in the upper row of cells."""
    outputs = outputs_of(case)
    outputs["class_logits16"][:, :, 0] = -9
    return outputs


def test_cells_in_which_nothing_is_seen_have_no_slopes() -> None:
    outputs = hidden("yolov8 raw")
    spec = spec_of(outputs, decode=CASES["yolov8 raw"][0])
    reference = task_of(spec).reference(outputs)
    for drawn in assert_squares_are_the_error(reference, outputs):
        assert not drawn["box_distribution16"][:, :, 0].any()
        assert not drawn["class_logits16"][:, :, 0].any()
        assert drawn["class_logits16"][:, :, 1].all()


def test_first_picture_of_a_batch_stands_for_all() -> None:
    first = hidden("yolov8 raw")
    outputs = {name: np.concatenate([each, each + 1]) for name, each in first.items()}
    spec = spec_of(outputs, batch=2, decode=CASES["yolov8 raw"][0])
    found = task_of(spec).reference(outputs).slopes(np.random.default_rng(0))
    alone = task_of(spec_of(first, decode=spec.decode)).reference(first)
    for name, wanted in alone.slopes(np.random.default_rng(0)).items():
        np.testing.assert_array_equal(found[name][:1], wanted)
        assert found[name].shape == outputs[name].shape
        assert not found[name][1:].any()


def test_picture_without_objects_has_slopes_of_its_noise() -> None:
    outputs = outputs_of("yolov8 raw")
    for stride in (16, 32):
        outputs[f"class_logits{stride}"] -= 20
    reference = task_of(spec_of(outputs, decode=CASES["yolov8 raw"][0])).reference(outputs)
    assert_squares_are_the_error(reference, outputs)


def test_decoded_cell_that_is_no_number_leaves_slopes_of_noise() -> None:
    outputs = outputs_of("yolov8 decoded")
    outputs["out"][0, 4:, 3] = np.nan
    reference = task_of(spec_of(outputs, decode=CASES["yolov8 decoded"][0])).reference(outputs)
    found = reference.slopes(np.random.default_rng(0))["out"]
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found == 0, np.isnan(outputs["out"]))


def test_box_that_is_nowhere_has_no_slopes() -> None:
    outputs = outputs_of("yolox raw")
    outputs["box_regression16"][0, 2, 0, 0] = 1e3
    reference = task_of(spec_of(outputs, decode=CASES["yolox raw"][0])).reference(outputs)
    found = reference.slopes(np.random.default_rng(0))
    assert all(np.isfinite(each).all() for each in found.values())
    assert found["class_logits16"].all()


def test_slopes_where_the_graph_sorts_are_those_of_noise() -> None:
    decode = msgspec.structs.replace(CASES["yolov8 decoded"][0], kind="end2end", class_count=2)
    outputs = {"out": np.random.default_rng(0).uniform(0, 1, (1, 20, 6)).astype("f4")}
    found = task_of(spec_of(outputs, decode=decode)).reference(outputs)
    wanted = NoiseReference(outputs).slopes(np.random.default_rng(0))
    np.testing.assert_array_equal(found.slopes(np.random.default_rng(0))["out"], wanted["out"])


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values)
    return raised / raised.sum(axis=-1, keepdims=True)


VALUES = np.random.default_rng(0).normal(0, 2, (2, 12)).astype("f4")
CLASSES = {
    "logits": (ClassesSpec(class_count=12), VALUES, 1e-3),
    "softmax": (ClassesSpec(class_count=12, values="probabilities"), softmax(VALUES), 1e-6),
    "sigmoids": (ClassesSpec(class_count=6, values="probabilities"), 1 / (1 + np.exp(-VALUES)),
                 1e-4),
    "sure": (ClassesSpec(class_count=12), VALUES + np.float32([200] + [0] * 11), 1e-2),
    "maps": (ClassesSpec(class_count=12), VALUES.reshape(2, 12, 1, 1), 1e-3),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASSES)
def test_slopes_of_classifiers(case: str) -> None:
    classes, values, step = CLASSES[case]
    outputs = {"y": values}
    reference = task_of(spec_of(outputs, classes=classes)).reference(outputs)
    assert_squares_are_the_error(reference, outputs, step)


def test_slopes_of_several_heads() -> None:
    heads = (
        ClassHead(name="a", output="a", class_count=12),
        ClassHead(name="b", output="b", class_count=6, values="probabilities"),
    )
    outputs = {"a": VALUES, "b": softmax(VALUES[:, :6]), "unread": np.ones((1, 2), "f4")}
    spec = spec_of(outputs, classes=ClassesSpec(class_count=18, heads=heads))
    assert_squares_are_the_error(task_of(spec).reference(outputs), outputs, 1e-5)


def test_classes_that_are_no_numbers_have_no_slopes() -> None:
    values = VALUES.copy()
    values[0, 3], values[1, 2:4] = np.nan, np.inf
    outputs = {"y": values}
    reference = task_of(spec_of(outputs, classes=ClassesSpec(class_count=12))).reference(outputs)
    found = reference.slopes(np.random.default_rng(0))["y"]
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found == 0, ~np.isfinite(values))
    none = {"y": np.zeros((1, 3), "f4")}
    shares = ClassesSpec(class_count=3, values="probabilities")
    found = task_of(spec_of(none, classes=shares)).reference(none).slopes(np.random.default_rng(0))
    assert not found["y"].any()


def test_slopes_of_noise() -> None:
    random = np.random.default_rng(0)
    outputs = {
        "a": random.normal(0, 1, (2, 30)).astype("f4"),
        "b": random.normal(0, 9, (50,)).astype("f4"),
        "broken": random.normal(0, 1, (20,)).astype("f4"),
    }
    outputs["broken"][:2] = np.nan, np.inf
    for drawn in assert_squares_are_the_error(
        task_of(spec_of(outputs)).reference(outputs), outputs
    ):
        assert not drawn["broken"][:2].any()


def test_nothing_is_known_of_outputs_without_power() -> None:
    outputs = {"zero": np.zeros(3, "f4"), "huge": np.full(3, 1e30, "f4"), "nan": np.full(2, np.nan)}
    found = NoiseReference(outputs).slopes(np.random.default_rng(0))
    assert not any(each.any() for each in found.values())


def test_draws_are_by_chance_and_repeatable() -> None:
    outputs = outputs_of("yolov5 raw")
    reference = task_of(spec_of(outputs, decode=CASES["yolov5 raw"][0])).reference(outputs)
    first, again = (reference.slopes(np.random.default_rng(0)) for _ in range(2))
    random = np.random.default_rng(0)
    assert all(np.array_equal(first[name], again[name]) for name in outputs)
    assert all(np.array_equal(first[name], each) for name, each in reference.slopes(random).items())
    assert not np.array_equal(first["predictions16"], reference.slopes(random)["predictions16"])

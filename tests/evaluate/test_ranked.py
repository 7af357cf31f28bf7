"""Rows that a graph ranked are compared as sets, by one assignment for all outputs."""

from __future__ import annotations

import numpy as np
import pytest

from mobileq.evaluate.ranked import aligned

AXES = {"boxes": 1, "scores": 1}


def outputs(count: int = 120) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    scores = np.sort(draw.random((1, count), np.float32) + 0.01)[:, ::-1]
    return {"boxes": draw.random((1, count, 4), np.float32) * 640, "scores": scores}


def no_scores(outputs: dict[str, np.ndarray], axes: dict[str, int], count: int) -> None:
    """As of a model whose columns nobody knows."""


def moved(given: dict[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[:, order] for name, array in given.items()}


def test_any_order_is_the_same_set():
    wanted = outputs()
    order = np.random.default_rng(1).permutation(120)
    found = aligned(wanted, moved(wanted, order), AXES, no_scores, 0.01)
    for name, array in wanted.items():
        assert np.array_equal(found[name], array)


def test_nothing_found_has_no_order():
    none = {"boxes": np.zeros((1, 0, 4), np.float32), "scores": np.zeros((1, 0), np.float32)}
    for axes in (AXES, {"boxes": 2, "scores": 1}):
        assert aligned(none, none, axes, no_scores, 0.01)["boxes"].shape == (1, 0, 4)


def test_rows_of_all_outputs_move_together():
    wanted = outputs()
    torn = {**wanted, "scores": wanted["scores"][:, ::-1]}
    found = aligned(wanted, torn, AXES, no_scores, 0.01)
    off = max(np.abs(found[name] - wanted[name]).max() / np.ptp(wanted[name]) for name in wanted)
    assert off > 0.1


@pytest.mark.parametrize(("strays", "excused"), [(1, True), (2, False)])
def test_few_rows_may_lack_a_counterpart(strays: int, excused: bool):
    wanted = outputs()
    other = {name: array.copy() for name, array in wanted.items()}
    other["boxes"][:, -strays:] = 700
    found = aligned(wanted, other, AXES, no_scores, 0.01)
    assert np.array_equal(found["boxes"], wanted["boxes"]) == excused


@pytest.mark.parametrize(
    ("strays", "alike", "apart", "excused"),
    [
        *((1, 3, 0.0005, True), (1, 3, 0.01, False)),
        *((2, 3, 0.0005, False), (1, 1, 0.0005, False)),
    ],
)
def test_one_of_few_rows_of_one_score_may_lack_a_counterpart(
    strays: int, alike: int, apart: float, excused: bool
):
    wanted = outputs(40)
    wanted["scores"][:, 25 : 25 + alike] = wanted["scores"][:, 25:26]
    other = {name: array.copy() for name, array in wanted.items()}
    other["boxes"][:, 25 : 25 + strays] += 50
    other["scores"][:, 25 : 25 + strays] += apart

    def scores(outputs: dict[str, np.ndarray], axes: dict[str, int], count: int) -> np.ndarray:
        return outputs["scores"][0]

    found = aligned(wanted, other, AXES, scores, 0.01)
    assert np.array_equal(found["boxes"], wanted["boxes"]) == excused


def test_what_was_given_stays_as_it_was():
    wanted, other = outputs(), moved(outputs(), np.arange(120)[::-1])
    before = {name: array.copy() for name, array in other.items()}
    aligned(wanted, other, AXES, no_scores, 0.01)
    for name, array in other.items():
        assert np.array_equal(array, before[name])


def test_rows_without_numbers_are_no_counterpart():
    wanted = outputs()
    other = {name: np.full_like(array, np.nan) for name, array in wanted.items()}
    assert np.isnan(aligned(wanted, other, AXES, no_scores, 0.01)["boxes"]).all()

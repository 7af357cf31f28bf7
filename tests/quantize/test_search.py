"""The search over how many groups stay float, on curves that are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.quantize.search import MOST_FLOAT, FloatSearch, Trial, best

COUNT = 200
MOST = int(COUNT * MOST_FLOAT)
CURVES = st.lists(st.floats(0, 1), min_size=MOST + 1, max_size=MOST + 1)
FALLING = CURVES.map(lambda curve: sorted(curve, reverse=True))


class Curve:
    """Trials whose errors and losses are known; notes which were asked for."""

    def __init__(self, lost: Sequence[float | None], error: Sequence[float] | None = None) -> None:
        self.lost, self.error = lost, error or [one or 0.0 for one in lost]
        self.asked: Counter[int] = Counter()

    def __call__(self, number: int) -> Trial:
        self.asked[number] += 1
        return _trial(self.error[number], self.lost[number], number)


def _trial(error: float, lost: float | None = None, number: int = 0) -> Trial:
    return Trial(calibrator="mse", float_groups=number, error=error, lost=lost, size_bytes=1)


def _first(curve: Sequence[float], holds: Callable[[float], bool]) -> int | None:
    return next((number for number, value in enumerate(curve) if holds(value)), None)


def _near(found: int, wanted: int) -> bool:
    """At most a quarter more than it takes, never less."""
    return wanted <= found < wanted + max(1, found // 4)


@given(FALLING, st.floats(0, 1))
def test_fewest_groups_within_the_budget_of_a_falling_curve(
    lost: list[float], budget: float
) -> None:
    curve = Curve(lost)
    found = FloatSearch(curve, COUNT).within(budget)
    wanted = _first(lost, lambda value: value <= budget)
    if wanted is None:
        assert found is None
    else:
        assert found is not None
        assert _near(found, wanted)


@given(CURVES, st.floats(0, 1))
def test_what_is_found_on_any_curve_is_within_the_budget(lost: list[float], budget: float) -> None:
    curve = Curve(lost)
    search = FloatSearch(curve, COUNT)
    found = search.within(budget)
    if found is None:
        assert all(lost[number] > budget for number in curve.asked)
        assert lost[search.least_lost()] == min(lost[number] for number in curve.asked)
    else:
        assert lost[found] <= budget


@given(CURVES, st.floats(0, 1))
def test_each_number_is_measured_once_and_few_are(lost: list[float], budget: float) -> None:
    curve = Curve(lost)
    search = FloatSearch(curve, COUNT)
    for _ in range(2):
        search.within(budget)
        search.worthwhile()
        search.least_lost()
    assert set(curve.asked.values()) == {1}
    assert len(curve.asked) <= 2 * math.ceil(math.log2(MOST))


@given(FALLING)
def test_worthwhile_costs_hardly_more_than_the_most_groups(lost: list[float]) -> None:
    found = FloatSearch(Curve(lost), COUNT).worthwhile()
    wanted = _first(lost, lambda value: value <= lost[-1] * 1.15)
    assert lost[found] <= lost[-1] * 1.15
    assert wanted is not None
    assert wanted <= found <= max(1, 3 * (wanted - 1))


@given(CURVES)
def test_worthwhile_of_any_curve_costs_hardly_more_than_the_most_groups(
    lost: list[float],
) -> None:
    curve = Curve(lost)
    found = FloatSearch(curve, COUNT).worthwhile()
    assert found in curve.asked
    assert lost[found] <= lost[-1] * 1.15


def test_no_group_is_float_where_all_integer_is_good_enough() -> None:
    curve = Curve([0.001] * (MOST + 1))
    assert FloatSearch(curve, COUNT).within(0.005) == 0
    assert curve.asked == {0: 1}
    assert FloatSearch(Curve([0.001] * (MOST + 1)), COUNT).worthwhile() == 0


def test_one_bad_group_is_found_exactly() -> None:
    assert FloatSearch(Curve([0.3, *[0.001] * MOST]), COUNT).within(0.005) == 1
    assert FloatSearch(Curve([0.3, *[0.001] * MOST]), COUNT).worthwhile() == 1


def test_budget_that_only_the_most_groups_meet() -> None:
    assert FloatSearch(Curve([*[0.3] * MOST, 0.001]), COUNT).within(0.005) == MOST


def test_budget_that_nothing_meets_and_what_lost_least() -> None:
    curve = Curve([0.3, 0.2, 0.2, 0.1, *[0.2] * 6, *[0.1] * MOST])
    search = FloatSearch(curve, COUNT)
    assert search.within(0.005) is None
    assert search.least_lost() == 3


def test_gain_counts_as_no_loss() -> None:
    curve = Curve([0.3, -0.02, *[-0.01] * MOST])
    search = FloatSearch(curve, COUNT)
    assert search.within(0.0) == 1
    search.trial(2)
    assert search.least_lost() == 1


def test_model_that_cannot_be_decoded_meets_no_budget() -> None:
    assert FloatSearch(Curve([None] * (MOST + 1)), COUNT).within(0.5) is None


@pytest.mark.parametrize(("count", "most"), [(0, 0), (1, 1), (3, 1), (4, 1), (8, 1), (99, 14)])
def test_most_float_groups(count: int, most: int) -> None:
    search = FloatSearch(Curve([0.5] * 99), count)
    assert search.most == most
    assert search.within(0.1) is None
    assert search.worthwhile() == 0


def test_error_decides_where_nothing_can_be_decoded() -> None:
    error = [0.9, 0.4, 0.3, 0.1, *[0.1] * MOST]
    search = FloatSearch(Curve([None] * (MOST + 1), error), COUNT)
    assert search.worthwhile() == 3
    assert search.least_lost() == 3


def test_lost_map_decides_where_it_is_known() -> None:
    error = [0.1, *[0.5] * MOST]
    assert FloatSearch(Curve([0.3, *[0.001] * MOST], error), COUNT).worthwhile() == 1


def test_best_takes_what_costs_least_and_the_first_of_equals() -> None:
    lost = {"a": 0.3, "b": 0.1, "c": 0.1}
    asked = []

    def measure(name: str) -> Trial:
        asked.append(name)
        return _trial(1.0 - lost[name], lost[name])

    assert best(tuple(lost), measure) == "b"
    assert asked == ["a", "b", "c"]

"""The search over levels of more and more float ops, on curves that are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.bootstrap import Estimate, mean_of
from mobileq.quantize.search import (
    FloatSearch,
    Trial,
    Tried,
    best,
    holds,
    never_taken,
    promising,
    times_off,
)

CURVES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
FALLING = CURVES.map(lambda curve: sorted(curve, reverse=True))


class Curve:
    """Trials whose errors and losses are known; notes which were asked for."""

    def __init__(self, lost: Sequence[float | None], error: Sequence[float] | None = None) -> None:
        self.lost, self.error = lost, error or [one or 0.0 for one in lost]
        self.asked = set[int]()

    def __call__(self, number: int) -> Tried:
        self.asked.add(number)
        return _certain(self.error[number], self.lost[number], number)


def _certain(error: float, lost: float | None = None, number: int = 0) -> Tried:
    """A trial whose cost has no standard error."""
    trial = Trial(calibrator="mse", float_groups=number, error=error, lost=lost, size_bytes=1)
    cost = error if lost is None else lost
    return Tried(trial, Estimate(cost, cost), (error,))


def _of_pictures(costs: Sequence[float]) -> Tried:
    return Tried(Trial(calibrator="mse"), mean_of(costs))


ALL = range(40)
"""Levels, where all may be tried."""
BROKEN = never_taken(Trial(calibrator="mse", problem="It does not load."))


def _first(curve: Sequence[float], holds: Callable[[float], bool]) -> int | None:
    return next((number for number, value in enumerate(curve) if holds(value)), None)


def _search(curve: Curve) -> FloatSearch:
    return FloatSearch(curve, len(curve.lost))


@given(FALLING, st.floats(0, 1))
def test_first_level_within_the_budget_of_a_falling_curve(lost: list[float], budget: float) -> None:
    assert _search(Curve(lost)).within(budget) == _first(lost, lambda value: value <= budget)


@given(CURVES, st.floats(0, 1))
def test_what_is_found_on_any_curve_is_within_the_budget(lost: list[float], budget: float) -> None:
    curve = Curve(lost)
    search = _search(curve)
    found = search.within(budget)
    if found is None:
        assert all(lost[level] > budget for level in curve.asked)
        assert lost[search.least_lost()] == min(lost[level] for level in curve.asked)
    else:
        assert lost[found] <= budget


@given(CURVES, st.floats(0, 1))
def test_few_levels_are_measured(lost: list[float], budget: float) -> None:
    halvings = math.ceil(math.log2(len(lost) + 1))
    for most, ask in (
        (2 * halvings + 1, lambda search: search.within(budget)),
        (halvings + 2, lambda search: search.worthwhile(ALL)),
    ):
        curve = Curve(lost)
        search = _search(curve)
        for _ in range(2):
            ask(search)
            search.least_lost()
        assert len(curve.asked) <= most


@given(CURVES)
def test_worthwhile_costs_hardly_more_than_the_last_level(lost: list[float]) -> None:
    curve = Curve(lost)
    found = _search(curve).worthwhile(ALL)
    assert found in curve.asked
    assert lost[found] <= lost[-1] * 1.15
    cheaper = [level for level in curve.asked if level < found]
    assert all(lost[level] > lost[-1] * 1.15 for level in cheaper)


def test_nothing_is_float_where_all_integer_is_good_enough() -> None:
    curve = Curve([0.001] * 7)
    assert _search(curve).within(0.005) == 0
    assert curve.asked == {0}
    assert _search(Curve([0.001] * 7)).worthwhile(ALL) == 0


def test_one_bad_group_is_found_exactly() -> None:
    assert _search(Curve([0.3, *[0.001] * 6])).within(0.005) == 1
    assert _search(Curve([0.3, *[0.001] * 6])).worthwhile(ALL) == 1


def test_budget_that_only_the_last_level_meets() -> None:
    assert _search(Curve([*[0.3] * 6, 0.001])).within(0.005) == 6


def test_budget_that_nothing_meets_and_what_lost_least() -> None:
    search = _search(Curve([0.3, 0.2, 0.2, 0.1, 0.2, 0.2, 0.1]))
    assert search.within(0.005) is None
    assert search.least_lost() == 3


def test_gain_counts_as_no_loss() -> None:
    search = _search(Curve([0.3, -0.02, *[-0.01] * 5]))
    assert search.within(0.0) == 1
    search.tried(2)
    assert search.least_lost() == 1


def test_model_that_cannot_be_decoded_meets_no_budget() -> None:
    assert _search(Curve([None] * 7, [0.1] * 7)).within(0.5) is None


def test_model_without_groups_has_one_level() -> None:
    search = _search(Curve([0.5]))
    assert search.within(0.1) is None
    assert search.worthwhile(ALL) == 0


def test_error_decides_where_nothing_can_be_decoded() -> None:
    search = _search(Curve([None] * 7, [0.9, 0.4, 0.3, *[0.1] * 4]))
    assert search.worthwhile(ALL) == 4
    assert search.least_lost() == 4


def test_levels_of_which_too_much_is_expected_are_not_tried() -> None:
    curve = Curve([None] * 7, [0.9, 0.4, 0.3, 0.2, 0.11, 0.1, 0.1])
    ahead = promising([9.0, 4.0, 3.0, 2.0, 1.4, 1.2, 1.0], by_measure=False)
    assert ahead == (4, 5, 6)
    assert _search(curve).worthwhile(ahead) == 4
    assert curve.asked == {0, 4, 6}
    curve = Curve([None] * 7, [0.9, *[0.1] * 6])
    assert _search(curve).worthwhile((6,)) == 6
    assert curve.asked == {0, 6}


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8))
def test_a_little_too_much_may_be_expected_where_a_measure_decides(expected: list[float]) -> None:
    strict, lenient = (promising(expected, by_measure) for by_measure in (False, True))
    assert lenient[-1] == strict[-1] == len(expected) - 1
    assert set(strict) == {at for at, each in enumerate(expected) if each <= 1.5 * expected[-1]}
    assert set(strict) <= set(lenient)
    assert promising([1.6, 1.0], by_measure=True) == (0, 1)
    assert promising([1.6, 1.0], by_measure=False) == (1,)


def test_one_bad_picture_does_not_hide_what_the_others_show() -> None:
    """Of ten pictures one is off by far: by the mean, the second file would be off by twice."""
    first, second = [1.0] * 9 + [10.0], [0.5] * 9 + [34.0]
    tried = [
        Tried(Trial(calibrator="mse", error=math.fsum(each)), mean_of(each), tuple(each))
        for each in (first, second)
    ]
    assert times_off(second, first) == pytest.approx((0.5**9 * 3.4) ** 0.1)
    assert holds(tried[1], tried[0])
    assert not holds(tried[0], tried[1])
    assert times_off([0.0], [0.0]) == times_off([], first) == 1.0


def test_lost_map_decides_where_it_is_known() -> None:
    error = [0.1, *[0.5] * 6]
    assert _search(Curve([0.3, *[0.001] * 6], error)).worthwhile(ALL) == 1


def test_best_takes_what_costs_least_and_the_first_of_equals() -> None:
    lost = {"a": 0.3, "b": 0.1, "c": 0.1}
    asked = []

    def measure(name: str) -> Tried:
        asked.append(name)
        return _certain(1.0 - lost[name], lost[name])

    assert best(tuple(lost), measure) == "b"
    assert asked == ["a", "b", "c"]


def test_what_is_not_shown_to_cost_less_is_not_taken() -> None:
    """Paired: what pictures have in common, here most of it, is no reason to doubt."""
    numbers = np.random.default_rng(0)
    own, noise = numbers.uniform(0.0, 1.0, 40), numbers.normal(0.0, 1.0, 40)
    noise -= noise.mean()
    first = _of_pictures(own)
    chance, shown = (_of_pictures(own - 0.01 + share * noise) for share in (0.1, 0.01))
    assert chance.cost.value < first.cost.value
    assert best((first, chance), lambda each: each) is first
    assert best((first, shown), lambda each: each) is shown


def test_more_float_ops_are_taken_only_where_they_are_shown_to_help() -> None:
    numbers = np.random.default_rng(1)
    own, noise = numbers.uniform(0.1, 0.3, 40), numbers.normal(0.0, 1.0, 40)
    noise -= noise.mean()
    for share, found in ((0.4, 0), (0.04, 1)):
        levels = [own + 0.05 + share * noise, own, own]
        assert np.mean(levels[0]) > 1.15 * np.mean(levels[2])
        tried = [_of_pictures(level) for level in levels]
        assert FloatSearch(tried.__getitem__, 3).worthwhile(ALL) == found


def test_file_that_does_not_work_costs_more_than_any() -> None:
    good = _certain(0.9, 0.9)
    assert best((BROKEN, good), lambda each: each) is good
    assert best((BROKEN, BROKEN), lambda each: each) is BROKEN


@given(CURVES, st.sets(st.integers(0, 39)))
def test_levels_that_do_not_work_are_never_chosen_where_one_that_was_tried_does(
    error: list[float], broken: set[int]
) -> None:
    def measure(level: int) -> Tried:
        asked.append(level)
        return BROKEN if level in broken else _certain(error[level])

    asked: list[int] = []
    found = FloatSearch(measure, len(error)).worthwhile(ALL)
    assert found in asked
    assert found not in broken or set(asked) <= broken


def test_level_that_is_off_by_more_is_not_enough_where_the_measure_shows_nothing() -> None:
    cost = mean_of([0.0, 0.2, 0.1, 0.1, 0.0, 0.2, 0.0, 0.2])
    less = mean_of([0.0, 0.1, 0.2, 0.1, 0.0, 0.0, 0.1, 0.1])

    def levels(*errors: float | None) -> FloatSearch:
        each = [() if error is None else (error,) for error in errors]
        known = [Tried(Trial(calibrator="mse"), cost, error) for error in each[:-1]]
        known.append(Tried(Trial(calibrator="mse"), less, each[-1]))
        return FloatSearch(known.__getitem__, len(known))

    assert levels(0.004, 0.0014, 0.001).worthwhile(ALL) == 1
    assert levels(0.004, 0.0016, 0.001).worthwhile(ALL) == 2
    assert levels(None, None, None).worthwhile(ALL) == 0

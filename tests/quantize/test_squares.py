"""Sums of squares in bins, told from few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mobileq.calibration.observers import Histogram
from mobileq.quantize.fisher import FEW, MANY
from mobileq.quantize.squares import shared_among_neighbours

amounts = st.floats(0, 1e6, allow_nan=False, width=32)


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=60), st.integers(-70, 10))
def test_nothing_is_lost_and_no_bin_gets_less_than_half(
    bins: list[tuple[float, float]], first: int
) -> None:
    counts, sums = (np.array(each, float) for each in zip(*bins, strict=True))
    found = shared_among_neighbours(sums, Histogram(1.0, first, counts))
    assert found.sum() == pytest.approx(sums.sum())
    assert (found >= sums / 2 * (1 - 1e-9)).all()
    assert (found[counts == 0] <= sums[counts == 0]).all(), "where no value is none gets any"


@given(st.lists(amounts, min_size=1, max_size=60), st.integers(-70, 10))
@example([1e-38, 1.0], -1)
def test_where_all_values_weigh_alike_nothing_changes(values: list[float], first: int) -> None:
    counts = np.array(values)
    found = shared_among_neighbours(3 * counts, Histogram(1.0, first, counts))
    np.testing.assert_allclose(found, 3 * counts, rtol=1e-9)


def test_far_out_what_one_value_has_is_what_its_like_have() -> None:
    """Of the rarest one has a gradient: the others get their part, on its own side alone."""
    counts = np.array([4.0, 50, 1000, 1000, 50, 4, 2, 1, 1])
    sums = np.array([0.0, 0, 10, 20, 0, 0, 0, 6, 0])
    found = shared_among_neighbours(sums, Histogram(1.0, -3, counts))
    assert (found[6:] > 0).all()
    assert found[:2].tolist() == [0, 0]
    assert found[7] > found[8]
    assert found[3] == 20


def test_of_small_pictures_more_are_run_there_and_back() -> None:
    counts = [FEW.samples(size) for size in (0, 1, 2**23, 2**25, 2**30)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == MANY.samples(2**30) == 64
    assert counts[-1] == 32

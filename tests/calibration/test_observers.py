"""Observers: what is remembered is what numpy finds over everything, and it does not grow."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mobileq.calibration.observers import (
    BIN_COUNT,
    Batch,
    Bins,
    Histogram,
    HistogramObserver,
    TensorObserver,
    TensorStatistics,
)

from .drawn import float_arrays

VALUES = float_arrays(limit=2.0**40, smallest=2.0**-40, longest=300)


def histogram(*chunks: np.ndarray) -> Histogram:
    observer = HistogramObserver()
    for chunk in chunks:
        observer.update(chunk, float(chunk.min()), float(chunk.max()))
    return observer.histogram()


def batch(array: np.ndarray) -> Batch:
    """Of [samples, channels, values], all of them."""
    return Batch(array, array.min(axis=2), array.max(axis=2), array[0].size)


def observe(array: np.ndarray, chunk: int = 1000) -> TensorStatistics:
    observer = TensorObserver()
    for start in range(0, len(array), chunk):
        observer.update(batch(array[start : start + chunk]))
    found = observer.statistics(per_channel=True)
    assert found is not None
    return found


@given(VALUES)
def test_histogram_counts_each_value_in_its_own_bin(values: np.ndarray) -> None:
    found = histogram(values)
    expected = np.floor(values.astype(float) / found.width).astype(int) - found.first
    assert found.counts.tolist() == np.bincount(expected, minlength=len(found.counts)).tolist()
    assert math.frexp(found.width)[0] == 0.5, "a power of two"
    np.testing.assert_allclose(
        found.centers()[[0, -1]] / found.width,
        [found.first + 0.5, found.first + len(found.counts) - 0.5],
    )


@given(VALUES)
def test_histogram_uses_at_least_half_of_its_bins(values: np.ndarray) -> None:
    found = histogram(values)
    assert len(found.counts) <= BIN_COUNT
    if values.any():
        assert len(found.counts) >= BIN_COUNT // 2
        assert found.first * found.width <= min(0.0, float(values.min()))


@given(VALUES, st.integers(0, 299), st.randoms(use_true_random=False))
def test_histogram_does_not_depend_on_order_or_chunks(
    values: np.ndarray, cut: int, random: "np.random.Generator"
) -> None:
    shuffled = values.tolist()
    random.shuffle(shuffled)
    parts = np.split(np.float32(shuffled), [min(cut, len(values))])
    one, other = histogram(values), histogram(*(part for part in parts if part.size))
    assert (one.width, one.first) == (other.width, other.first)
    assert one.counts.tolist() == other.counts.tolist()


@given(VALUES, st.integers(-30, 30))
def test_histogram_of_scaled_values_has_the_same_counts(values: np.ndarray, power: int) -> None:
    if not values.any():
        return
    one, other = histogram(values), histogram(values * np.float32(2.0**power))
    assert other.width == one.width * 2.0**power
    assert (one.first, one.counts.tolist()) == (other.first, other.counts.tolist())


@given(VALUES, st.integers(0, 12))
def test_counts_of_bins_are_moved_into_wider_ones(values: np.ndarray, wider: int) -> None:
    ends = float(values.min()), float(values.max())
    bins = Bins.reaching(*ends)
    into = Bins.reaching(*ends, bins.exponent + wider)
    assert into.exponent == bins.exponent + wider
    counts = np.bincount(bins.places(values, BIN_COUNT), minlength=BIN_COUNT).astype(float)
    moved = bins.moved(counts, into, BIN_COUNT)
    assert moved.tolist() == np.bincount(into.places(values, BIN_COUNT), None, BIN_COUNT).tolist()
    # Of the bins that are twice as wide the first of two has all.
    back = into.moved(moved, bins, BIN_COUNT)
    assert back.sum() == len(values)
    assert into.moved(back, into, BIN_COUNT).sum() == len(values)


def test_histogram_takes_values_that_rounding_put_outside_the_extremes() -> None:
    observer = HistogramObserver()
    observer.update(np.float32([-1.001, 0.5, 1.001]), -1.0, 1.0)
    found = observer.histogram()
    assert found.counts.sum() == 3
    assert found.counts[0] == found.counts[-1] == 1


def test_histogram_does_not_grow() -> None:
    observer = HistogramObserver()
    observer.update(np.float32([1e-30, -1e-30]), -1e-30, 1e-30)
    before = len(pickle.dumps(observer))
    for power in range(-29, 38):
        observer.update(np.float32([10.0**power]), 0.0, 10.0**power)
    assert len(pickle.dumps(observer)) <= before + 64
    assert observer.histogram().counts.sum() == 69


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.floats(-1000, 1000, width=32),
    ),
    st.integers(1, 6),
)
def test_statistics_are_those_of_numpy(array: np.ndarray, chunk: int) -> None:
    found, exact = observe(array, chunk), array.astype(float)
    assert (found.min, found.max) == (exact.min(), exact.max())
    assert found.mean == pytest.approx(exact.mean(), rel=1e-5, abs=1e-3)
    assert found.variance == pytest.approx(exact.var(), rel=1e-4, abs=0.5)
    assert found.histogram.counts.sum() == array.size
    assert found.channels is not None
    assert found.channels.min.tolist() == exact.min(axis=(0, 2)).tolist()
    assert found.channels.max.tolist() == exact.max(axis=(0, 2)).tolist()
    np.testing.assert_allclose(found.channels.mean, exact.mean(axis=(0, 2)), rtol=1e-4, atol=1e-3)


def test_extremes_are_single_values_and_the_subsample_stands_for_the_rest() -> None:
    observer = TensorObserver()
    values = np.float32([[[1, 2], [1, 1]]])
    observer.update(Batch(values, np.float32([[-5, 0]]), np.float32([[9, 2]]), 84))
    found = observer.statistics(per_channel=True)
    assert found is not None
    assert (found.min, found.max) == (-5, 9)
    bins = np.floor(found.histogram.centers())
    counts = {value: found.histogram.counts[bins == value].sum() for value in (-5, 0, 1, 2, 9)}
    assert counts == {-5: 1, 0: 1, 1: 60, 2: 21, 9: 1}
    assert found.histogram.counts.sum() == 84


@pytest.mark.parametrize("chunk", [1, 3, 10])
def test_moving_average_follows_the_samples_in_their_order(chunk: int) -> None:
    array = np.random.default_rng(0).normal(size=(10, 2, 5)).astype(np.float32)
    low, high = float(array[0].min()), float(array[0].max())
    for sample in array[1:]:
        low, high = 0.9 * low + 0.1 * sample.min(), 0.9 * high + 0.1 * sample.max()
    found = observe(array, chunk)
    assert (found.average_min, found.average_max) == pytest.approx((low, high))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_sample_with_values_that_are_no_numbers_is_left_out(bad: float) -> None:
    array = np.random.default_rng(1).normal(size=(4, 2, 5)).astype(np.float32)
    spoilt = np.concatenate([array[:2], array[:1], array[2:]])
    spoilt[2, 0, 3] = bad
    one, other = observe(spoilt), observe(array)
    assert (one.min, one.max, one.average_min) == (other.min, other.max, other.average_min)
    assert (one.mean, one.variance) == pytest.approx((other.mean, other.variance))
    assert one.histogram.counts.tolist() == other.histogram.counts.tolist()


def test_value_that_is_no_number_shows_also_where_the_extremes_skip_it() -> None:
    observer = TensorObserver()
    low, high = np.float32([[0.0]]), np.float32([[1.0]])
    observer.update(Batch(np.float32([[[0.0, math.nan, 1.0]]]), low, high, 3))
    assert observer.statistics(per_channel=False) is None


def test_large_values_do_not_overflow() -> None:
    found = observe(np.float32([[[1e30, 3e30]]]))
    assert found.variance == pytest.approx(1e60, rel=1e-5)
    assert found.mean == pytest.approx(2e30)


def test_channels_are_left_out_where_there_are_none() -> None:
    observer = TensorObserver()
    observer.update(batch(np.float32([[[1, 2, 3]]])))
    found = observer.statistics(per_channel=False)
    assert found is not None
    assert found.channels is None


def test_tensor_observer_does_not_grow() -> None:
    array = np.random.default_rng(2).normal(size=(8, 16, 100)).astype(np.float32)
    observer = TensorObserver()
    observer.update(batch(array))
    before = len(pickle.dumps(observer))
    for _ in range(50):
        observer.update(batch(array))
    assert len(pickle.dumps(observer)) <= before + 64

"""The figures are those of the formulas, whatever the arrays' size, type and order."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from mobileq.evaluate.numeric import (
    OutputComparer,
    OutputComparison,
    disagreement,
    value_range,
)
from mobileq.targets.info import FLOAT16, FLOAT32, Tolerance

VALUES = st.floats(-1e4, 1e4, width=32)
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=3, max_side=6)


@st.composite
def pairs(draw, elements=VALUES):
    shape = draw(SHAPES)
    array = arrays_of.arrays(np.float32, shape, elements=elements)
    return draw(array), draw(array)


def compared(*samples, rtol: float = 0.0) -> OutputComparison:
    comparer = OutputComparer("scores", rtol)
    for reference, candidate in samples:
        comparer.update(np.asarray(reference), np.asarray(candidate))
    return comparer.result()


@pytest.fixture(params=[3, 8192], ids=["many pieces", "one piece"])
def pieces(request, monkeypatch):
    monkeypatch.setattr("mobileq.evaluate.numeric._PIECE", request.param)


@pytest.mark.usefixtures("pieces")
def test_figures_of_known_arrays():
    found = compared(
        ([3.0, 0.0, -4.0, 2.0, 0.0], [3.0, 1.0, -4.5, 2.0, 0.0]), ([0.0], [-0.25]), rtol=0.1
    )
    signal, noise = 9 + 16 + 4, 1 + 0.25 + 0.0625
    energy, product = 9 + 1 + 20.25 + 4 + 0.0625, 9 + 18 + 4
    assert found.sqnr_db == pytest.approx(10 * math.log10(signal / noise))
    assert found.cosine == pytest.approx(product / math.sqrt(signal * energy))
    assert found.max_abs_error == 1.0
    assert found.max_rel_error == 0.25
    assert found.largest_excess == 1.0  # at the zero; at -4.5 it is 0.5 - 0.1 * 4
    assert (found.name, found.shape, found.finite) == ("scores", (1,), True)


def test_figures_are_those_of_the_plain_formulas():
    draw = np.random.default_rng(0)
    wanted = draw.normal(size=(3, 50, 85)).astype(np.float32)
    got = wanted + draw.normal(size=wanted.shape).astype(np.float32) * np.float32(0.01)
    found = compared(*zip(wanted, got, strict=True), rtol=0.01)
    x, y = wanted.astype(np.float64), got.astype(np.float64)
    error = np.abs(y - x)
    assert found.sqnr_db == pytest.approx(10 * np.log10((x**2).sum() / (error**2).sum()))
    assert found.cosine == pytest.approx((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
    assert found.max_abs_error == error.max()
    assert found.max_rel_error == error.max() / np.abs(x).max()
    assert found.largest_excess == pytest.approx((error - 0.01 * np.abs(x)).max())


@given(pairs())
def test_equal_arrays_have_no_error(pair):
    found = compared((pair[0], pair[0].copy()))
    assert found.sqnr_db is None
    assert found.cosine == pytest.approx(1.0)
    assert found.max_abs_error == found.max_rel_error == found.largest_excess == 0.0
    assert found.finite


@given(pairs(), st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10]))
def test_relative_figures_do_not_depend_on_the_scale(pair, factor):
    plain = compared(pair)
    scaled = compared([np.float64(array) * factor for array in pair])
    if plain.sqnr_db is None:
        assert scaled.sqnr_db is None
    else:
        assert scaled.sqnr_db == pytest.approx(plain.sqnr_db, abs=1e-6)
    assert scaled.cosine == pytest.approx(plain.cosine)
    assert scaled.max_rel_error == pytest.approx(plain.max_rel_error)
    assert scaled.max_abs_error == plain.max_abs_error * factor


@given(st.lists(pairs(), min_size=1, max_size=4), st.floats(0, 0.5))
def test_sample_by_sample_is_the_same_as_all_at_once(samples, rtol):
    streamed = compared(*samples, rtol=rtol)
    whole = compared(
        [np.concatenate([np.ravel(pair[side]) for pair in samples]) for side in (0, 1)], rtol=rtol
    )
    assert streamed.max_abs_error == whole.max_abs_error
    assert streamed.largest_excess == whole.largest_excess
    assert streamed.cosine == pytest.approx(whole.cosine)
    assert streamed.sqnr_db == pytest.approx(whole.sqnr_db)


@given(pairs())
def test_figures_are_within_their_bounds(pair):
    found = compared(pair, rtol=0.1)
    assert -1 - 1e-9 <= found.cosine <= 1 + 1e-9
    assert 0 <= found.largest_excess <= found.max_abs_error
    assert all(math.isfinite(value) for value in (found.sqnr_db or 0, found.max_rel_error))


def test_order_in_memory_does_not_matter():
    wanted = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    got = np.asfortranarray(wanted + 1)
    assert compared((wanted, got)) == compared((wanted, wanted + 1))


def test_arrays_are_left_as_they_were():
    wanted, got = np.array([1.0, -2.0, np.nan]), np.array([-1.5, 2.0, np.nan])
    wanted.setflags(write=False)
    got.setflags(write=False)
    compared((wanted, got))
    np.testing.assert_array_equal(wanted, [1.0, -2.0, np.nan])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool", "float16"])
def test_differences_of_small_types_do_not_wrap_around(dtype):
    found = compared((np.array([1, 0], dtype), np.array([0, 1], dtype)))
    assert found.max_abs_error == 1.0
    assert found.sqnr_db == pytest.approx(-10 * math.log10(2))


@pytest.mark.parametrize("shape", [(2,), (3, 1), (1, 3), ()])
def test_arrays_of_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="scores"):
        compared((np.zeros(3), np.zeros(shape)))


def test_empty_arrays_agree():
    found = compared((np.zeros((0, 4)), np.zeros((0, 4))))
    assert (found.shape, found.sqnr_db, found.cosine) == ((0, 4), None, 1.0)
    assert disagreement(found, FLOAT32) is None


BAD = (np.nan, np.inf, -np.inf)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("side", [0, 1])
def test_values_that_are_no_numbers_on_one_side_are_found(bad, side):
    pair = [np.array([1.0, 2.0, 3.0, 4.0]) for _ in range(2)]
    pair[side][2] = bad
    found = compared(pair, ([1.0], [1.0]))
    assert not found.finite
    assert (found.sqnr_db, found.max_abs_error) == (None, 0.0)  # of the others


@pytest.mark.parametrize("bad", BAD)
def test_values_that_are_no_numbers_on_both_sides_agree(bad):
    found = compared(([1.0, bad], [1.5, bad]))
    assert found.finite
    assert found.max_abs_error == 0.5
    assert found.cosine == pytest.approx(1.0)


def test_infinities_of_other_signs_do_not_agree():
    assert not compared(([np.inf], [-np.inf])).finite
    assert not compared(([np.inf], [np.nan])).finite


def test_arrays_of_nothing_but_nan_have_figures():
    found = compared(([np.nan] * 3, [np.nan] * 3))
    assert (found.finite, found.sqnr_db, found.cosine) == (True, None, 1.0)


@given(pairs(st.floats(allow_nan=True, allow_infinity=True, width=32)))
def test_every_figure_can_be_written_as_json(pair):
    found = compared(pair, rtol=0.1)
    assert msgspec.json.decode(msgspec.json.encode(found), type=OutputComparison) == found


@given(pairs(), pairs())
def test_comparers_add_up_to_one_that_was_given_all(first, second):
    both, added, other = (OutputComparer("y", 0.1) for _ in range(3))
    for comparer, arrays in ((both, first), (both, second), (added, first), (other, second)):
        comparer.update(*map(np.float32, arrays))
    added.add(other)
    shape = both.result().shape
    assert msgspec.structs.replace(added.result(), shape=shape) == both.result()
    assert added.largest == max(
        np.abs(np.float32(wanted)).max(initial=0) for wanted, _ in (first, second)
    )


def test_error_without_signal_is_worse_than_any():
    found = compared(([0.0, 0.0], [1e-9, 0.0]))
    assert found.sqnr_db == -200.0
    assert found.cosine == 0.0
    assert "SQNR" in str(disagreement(found, FLOAT16))


@given(pairs())
def test_tolerances_mean_what_numpys_mean(pair):
    wanted, got = pair
    tolerance = Tolerance(atol=1.0, rtol=0.25)
    error = np.abs(np.float64(got) - np.float64(wanted))
    excess = float((error - 0.25 * np.abs(np.float64(wanted))).max())
    assume(abs(excess - 1.0) > 1e-6)
    agrees = np.allclose(np.float64(got), np.float64(wanted), atol=1.0, rtol=0.25)
    assert (disagreement(compared(pair, rtol=0.25), tolerance) is None) == agrees


def test_disagreement_names_output_and_tolerances():
    found = compared(([100.0, 0.0], [100.0, 0.5]), rtol=0.01)
    assert disagreement(found, Tolerance(atol=0.01, rtol=0.01)) == (
        "'scores' differs by up to 0.5 (0.5 of its range, over 0.01)"
    )
    assert disagreement(found, Tolerance(atol=0.01)) == (
        "'scores' differs by up to 0.5 (0.5 of its range, over 0.01)"
    )
    assert disagreement(found, Tolerance(sqnr_db=60)) == "'scores' has 46.0 dB SQNR, under 60"
    assert disagreement(found, Tolerance()) is None
    assert disagreement(found, Tolerance(atol=0.5, rtol=0.01, sqnr_db=46)) is None


def test_rounding_of_the_reference_is_allowed_several_times():
    found = compared(([100.0, 0.0], [100.0, 0.5]), rtol=0.01)
    tolerance = Tolerance(atol=0.01, rtol=0.01, rounding=4.0)

    def own(excess: float) -> OutputComparison:
        return compared(([100.0, 0.0], [100.0, excess]), rtol=0.01)

    assert disagreement(found, tolerance, own(0.125)) is None
    assert disagreement(found, tolerance, own(0.12)) is not None
    assert disagreement(found, Tolerance(atol=0.01, rtol=0.01), own(1.0)) is not None


def test_noise_is_held_to_the_models_own_where_that_is_large():
    wanted = np.linspace(-1, 1, 100)

    def off(part: float) -> OutputComparison:
        return compared((wanted, wanted * (1 + part)))

    tolerance = Tolerance(sqnr_db=30, rounding_db=75)
    assert disagreement(off(0.1), tolerance, off(1e-6)) is not None  # 120 dB: a trained model
    assert disagreement(off(0.1), tolerance, off(3e-5)) is None
    assert disagreement(off(0.5), tolerance, off(1e-2)) is not None, (
        "6 dB is noise for whatever reason"
    )


def test_rows_that_are_found_have_one_range():
    found = [np.zeros((0, 3)), np.array([[0.0, -1.0, 7.0]]), np.ones((4, 3))]
    assert value_range(found) == 7.0
    assert value_range([np.zeros((0, 3)), np.zeros((2, 3))]) == 1.0


def test_ranges_are_those_of_each_output_and_of_what_an_axis_tells_apart():
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 640, (1, 500, 4))
    scores = rng.uniform(0, 1, (1, 500, 3))
    rows = np.concatenate([boxes, scores], axis=2)
    scale = value_range([rows, rows / 2])
    assert scale.shape == (1, 1, 7)
    assert scale[0, 0, :4] == pytest.approx(boxes.max(axis=(0, 1)))
    assert scale[0, 0, 4:] == pytest.approx(scores.max(axis=(0, 1)), abs=0.65)
    assert value_range([np.array([[3.0, -9000.0]])]) == pytest.approx(9000)
    assert value_range([np.zeros((2, 3))]) == value_range([]) == 1.0
    assert value_range([np.array([np.nan, np.inf, -2.0])]) == 2.0


def test_same_noise_is_right_in_a_large_output_and_wrong_in_a_small_one():
    wanted = np.random.default_rng(0).normal(0, 1, (1, 21, 32, 32))
    for size, agrees in ((9000.0, True), (1.0, False)):
        comparer = OutputComparer("y", 1e-3, value_range([wanted * size]))
        comparer.update(wanted * size, wanted * size + 0.1)
        limit = Tolerance(atol=1e-3, rtol=1e-3)
        assert (disagreement(comparer.result(), limit) is None) == agrees


def test_disagreement_tells_of_values_that_are_no_numbers():
    found = compared(([1.0], [np.nan]))
    assert disagreement(found, Tolerance()) == (
        "'scores' has NaN or infinite values in other places than the ONNX model"
    )


@pytest.mark.parametrize(("error", "agrees"), [(1e-7, True), (1e-4, True), (2e-3, False)])
def test_float_files_may_differ_by_rounding_only(error, agrees):
    wanted = np.linspace(0.1, 1, 100, dtype=np.float32)
    found = compared((wanted, wanted * np.float32(1 + error)), rtol=FLOAT32.rtol or 0)
    assert (disagreement(found, FLOAT32) is None) == agrees

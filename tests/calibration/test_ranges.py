"""Range estimators: what each keeps and clips, and the noise that is to be expected."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mobileq.calibration.observers import Batch, TensorObserver
from mobileq.calibration.purposes import Purpose
from mobileq.calibration.quantization_error import ErrorModel
from mobileq.calibration.ranges import METHODS, estimate, quantization_noise
from mobileq.calibration.statistics import Statistics
from mobileq.errors import UsageError
from mobileq.spec import TensorRange

from .drawn import float_arrays

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=40_000).astype(np.float32)
HEAVY = RANDOM.standard_t(2, size=40_000).astype(np.float32)
SPIKED = np.concatenate([NORMAL, np.float32([500.0])])
DATA = {
    "normal": NORMAL,
    "heavy": HEAVY,
    "spiked": SPIKED,
    "relu": np.maximum(NORMAL, 0),
    "silu": NORMAL * 4 / (1 + np.exp(-NORMAL * 4)),
    "uniform": RANDOM.uniform(-1, 3, 40_000).astype(np.float32),
    "bimodal": np.concatenate([NORMAL * 0.01 - 5, NORMAL * 0.1 + 20]),
    "positive": NORMAL * 0.1 + 7,
    "negative": NORMAL * 0.1 - 7,
    "one positive value": np.full(100, 3.7, np.float32),
    "one negative value": np.full(100, -3.7, np.float32),
    "single": np.float32([2.5]),
    "tiny": NORMAL * np.float32(1e-20),
    "huge": NORMAL * np.float32(1e30),
    "two values": np.float32([0.0, 1.0] * 50),
}
SHORT = float_arrays(limit=1000, smallest=1e-6, longest=400)


def statistics_of(**tensors: np.ndarray) -> Statistics:
    """Of tensors that come in four samples each, as far as the values go."""
    found = {}
    for name, values in tensors.items():
        observer = TensorObserver()
        for part in np.array_split(values.astype(np.float32), 4):
            if part.size:
                array = part.reshape(1, 1, -1)
                observer.update(Batch(array, array.min(axis=2), array.max(axis=2), array.size))
        tensor = observer.statistics(per_channel=False)
        assert tensor is not None
        found[name] = tensor
    return Statistics(found, 4)


def range_of(values: np.ndarray, method: str, bits: int = 8) -> TensorRange:
    return estimate(statistics_of(x=values), method, bits)["x"]


def squared_error(values: np.ndarray, chosen: TensorRange, bits: int = 8) -> float:
    """Mean, of quantizing every value, worked out without the library."""
    top = 2**bits - 1
    scale = (chosen.max - chosen.min) / top
    zero_point = round(-chosen.min / scale)
    quantized = np.clip(np.rint(values.astype(float) / scale) + zero_point, 0, top)
    return float(np.mean(((quantized - zero_point) * scale - values) ** 2))


def sqnr(values: np.ndarray, chosen: TensorRange, bits: int = 8) -> float:
    power = float(np.mean(values.astype(float) ** 2))
    return 10 * math.log10(power / squared_error(values, chosen, bits))


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DATA)
def test_range_holds_zero_and_nothing_that_was_not_seen(name: str, method: str, bits: int) -> None:
    values = DATA[name]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    chosen = range_of(values, method, bits)
    slack = (high - low) * (0.01 if method == "admm" else 1e-6)  # its scale may grow a little
    assert low - slack <= chosen.min <= 0 <= chosen.max <= high + slack
    assert chosen.min < chosen.max


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHORT, st.sampled_from(sorted(METHODS)))
def test_range_of_any_values_holds_zero(values: np.ndarray, method: str) -> None:
    chosen = range_of(values, method)
    assert math.isfinite(chosen.min)
    assert math.isfinite(chosen.max)
    assert chosen.min <= 0 <= chosen.max
    assert chosen.min < chosen.max


@pytest.mark.parametrize("method", METHODS)
def test_tensor_that_is_always_zero_gets_zero_to_one(method: str) -> None:
    statistics = statistics_of(x=np.zeros(10))
    chosen = estimate(statistics, method)
    assert chosen == {"x": TensorRange(min=0.0, max=1.0)}
    assert quantization_noise(statistics, chosen) == {"x": math.inf}


def test_min_max_is_exact() -> None:
    assert range_of(np.float32([-1.5, 2.25]), "min_max") == TensorRange(min=-1.5, max=2.25)
    assert range_of(np.float32([-4, -1.5]), "min_max") == TensorRange(min=-4, max=0)
    assert range_of(np.float32([1.5, 4]), "min_max") == TensorRange(min=0, max=4)


def test_moving_average_forgets_slowly() -> None:
    chosen = range_of(np.float32([10, 0, 0, 0]), "moving_average")
    assert chosen.max == pytest.approx(10 * 0.9**3)


def test_percentile_cuts_the_same_share_off_both_ends() -> None:
    values = np.linspace(-1, 3, 400_001).astype(np.float32)
    chosen = range_of(values, "percentile")
    assert chosen.min == pytest.approx(-1 + 4 * 0.5e-4, abs=4e-5)
    assert chosen.max == pytest.approx(3 - 4 * 0.5e-4, abs=4e-5)


@pytest.mark.parametrize(("method", "bits"), [("mse", 4), ("percentile", 8), ("entropy", 8)])
def test_long_tails_are_clipped(method: str, bits: int) -> None:
    chosen = range_of(HEAVY, method, bits)
    assert chosen.max < 0.75 * HEAVY.max()
    assert chosen.min > 0.75 * HEAVY.min()


def test_mse_clips_an_outlier_where_enough_other_values_gain() -> None:
    outlier, values = np.float32([8.0]), RANDOM.uniform(-1, 1, 4_000_000).astype(np.float32)
    assert range_of(np.concatenate([values[:4000], outlier]), "mse").max > 7.5
    assert range_of(np.concatenate([values, outlier]), "mse").max < 2


def test_min_max_keeps_long_tails() -> None:
    assert range_of(HEAVY, "min_max").max == HEAVY.max()
    assert range_of(HEAVY, "min_max").min == HEAVY.min()


@pytest.mark.parametrize("method", ["mse", "admm", "percentile", "min_max"])
def test_both_modes_are_kept(method: str) -> None:
    chosen = range_of(DATA["bimodal"], method)
    assert chosen.min <= -4.9
    assert chosen.max >= 20


@pytest.mark.parametrize("name", [*DATA])
@pytest.mark.parametrize("bits", [4, 8])
def test_mse_and_admm_err_no_more_than_min_max(name: str, bits: int) -> None:
    values = DATA[name]
    worst = squared_error(values, range_of(values, "min_max", bits), bits)
    # The histogram's bins are a sixteenth to a quarter of a level.
    slack = worst * 0.02 + float(np.mean(values.astype(float) ** 2)) * 1e-5
    assert squared_error(values, range_of(values, "mse", bits), bits) <= worst + slack
    assert squared_error(values, range_of(values, "admm", bits), bits) <= worst + slack


@settings(deadline=None)
@given(SHORT)
def test_mse_expects_no_more_noise_than_min_max_on_the_same_histogram(values: np.ndarray) -> None:
    assume(values.any())
    statistics = statistics_of(x=values)
    expected = {
        method: quantization_noise(statistics, estimate(statistics, method))["x"]
        for method in ("min_max", "mse", "admm")
    }
    assert expected["mse"] >= expected["min_max"] - 1e-6
    assert expected["admm"] >= expected["min_max"] - 1e-6


@pytest.mark.parametrize("known", [{}, {"x": Purpose(lambda given: np.maximum(given, -1))}])
def test_fisher_counts_errors_by_importance(known: dict[str, Purpose]) -> None:
    tensor = statistics_of(x=DATA["heavy"]).tensors["x"]
    centers = tensor.histogram.centers()

    def chosen(*kept: tuple[float, float]) -> TensorRange:
        """Where errors count in these intervals alone."""
        counts = sum(
            tensor.histogram.counts * ((centers > low) & (centers < high)) for low, high in kept
        )
        important = replace(tensor.histogram, counts=np.asarray(counts) * 1e-9)
        weighed = replace(tensor, importance=important)
        return estimate(Statistics({"x": weighed}, 4), "fisher", 8, known)["x"]

    plain = estimate(Statistics({"x": tensor}, 4), "mse", 8, known)["x"]
    assert estimate(Statistics({"x": tensor}, 4), "fisher", 8, known)["x"] == plain
    assert chosen((-np.inf, np.inf)) == plain
    # Nothing beyond counts, and what is within is rounded more finely.
    near = chosen((-0.5, 0.75))
    assert plain.min < -0.9 < -0.51 < near.min < -0.25
    assert 0.5 < near.max < 0.76 < 2 < plain.max
    assert plain.max < 0.95 * tensor.max < chosen((0.95 * tensor.max, np.inf)).max


@pytest.mark.parametrize("name", ["normal", "heavy", "spiked", "silu", "relu", "uniform"])
def test_mse_finds_what_an_exhaustive_search_finds(name: str) -> None:
    values = DATA[name]
    low, high = float(values.min()), float(values.max())
    fractions = np.geomspace(1, 1 / 200, 50)
    least = min(
        squared_error(values, TensorRange(min=low * one, max=high * other))
        for one in (fractions if low < 0 else [1.0])
        for other in fractions
    )
    assert squared_error(values, range_of(values, "mse")) <= least * 1.06


def test_admm_lowers_the_error_where_the_extremes_are_a_poor_start() -> None:
    values = np.concatenate([np.repeat(np.float32([10, 20, 30]), 1000), np.float32([31])])
    found = range_of(values, "admm", bits=2)
    assert squared_error(values, found, 2) < squared_error(values, range_of(values, "min_max"), 2)


def divergence(counts: np.ndarray, start: int, stop: int) -> float:
    """Kullback-Leibler, of merging the bins from start to stop into 256, the plain way."""
    clipped = counts[start:stop].copy()
    clipped[0] += counts[:start].sum()
    clipped[-1] += counts[stop:].sum()
    merged = np.zeros(stop - start)
    for one, other in itertools.pairwise(np.round(np.linspace(0, stop - start, 257)).astype(int)):
        part = counts[start + one : start + other]
        merged[one:other] = max(part.sum(), 1e-12) / max(1, np.count_nonzero(part))
    merged /= counts[start:stop].sum()
    used = clipped > 0
    return float(np.sum(clipped[used] * np.log(clipped[used] / merged[used])))


@pytest.mark.parametrize("values", [np.abs(HEAVY), np.abs(NORMAL), np.abs(NORMAL) ** 3])
def test_entropy_matches_a_plain_search_over_the_maximum(values: np.ndarray) -> None:
    histogram = statistics_of(x=values).tensors["x"].histogram
    counts = histogram.counts / histogram.counts.sum()
    stops = np.unique(np.linspace(1, len(counts), 128).astype(int))
    found = {stop: divergence(counts, 0, stop) for stop in stops if stop >= 256}
    chosen = round(range_of(values, "entropy").max / histogram.width)
    assert found[chosen] == pytest.approx(min(found.values()), rel=1e-6)
    assert found[chosen] < found[len(counts)]


@pytest.mark.parametrize("values", [-np.abs(HEAVY), -np.abs(NORMAL), -(np.abs(NORMAL) ** 3)])
def test_entropy_matches_a_plain_search_over_the_minimum(values: np.ndarray) -> None:
    histogram = statistics_of(x=values).tensors["x"].histogram
    counts, last = histogram.counts / histogram.counts.sum(), len(histogram.counts)
    starts = np.unique(np.linspace(0, -histogram.first, 128).astype(int))
    found = {start: divergence(counts, start, last) for start in starts if start <= last - 256}
    chosen = round(range_of(values, "entropy").min / histogram.width) - histogram.first
    assert found[chosen] == pytest.approx(min(found.values()), rel=1e-6)
    assert found[chosen] < found[0]


@settings(deadline=None)
@given(SHORT, st.integers(-20, 20), st.sampled_from(sorted(METHODS)))
def test_ranges_scale_with_the_values(values: np.ndarray, power: int, method: str) -> None:
    assume(values.any())
    factor = 2.0**power
    one, other = range_of(values, method), range_of(values * np.float32(factor), method)
    assert other.min == pytest.approx(one.min * factor, rel=1e-9)
    assert other.max == pytest.approx(one.max * factor, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", ["normal", "heavy", "spiked", "silu", "uniform", "bimodal"])
def test_expected_noise_is_that_of_quantizing_the_values(name: str, bits: int, method: str) -> None:
    statistics = statistics_of(x=DATA[name])
    chosen = estimate(statistics, method, bits)
    expected = quantization_noise(statistics, chosen, bits)["x"]
    assert expected == pytest.approx(sqnr(DATA[name], chosen["x"], bits), abs=0.3)


def test_expected_noise_of_sixteen_bits_is_finer_than_the_histogram() -> None:
    statistics = statistics_of(x=NORMAL)
    chosen = estimate(statistics, "min_max", 16)
    expected = quantization_noise(statistics, chosen, 16)["x"]
    assert expected == pytest.approx(sqnr(NORMAL, chosen["x"], 16), abs=0.3)
    assert expected > 80


@pytest.mark.parametrize("low", [-1, -1.001, -1.002, -1.003, 0])
def test_coarser_histogram_of_the_error_model_is_not_shifted(low: float) -> None:
    values = np.linspace(low, 3, 400_000).astype(np.float32)
    tensor = statistics_of(x=values).tensors["x"]
    assert len(tensor.histogram.counts) > 2048
    exact = float(np.mean(values.astype(float) ** 2))
    assert ErrorModel(tensor, 8).power == pytest.approx(exact, rel=1e-4)


def test_noise_is_told_of_tensors_with_both_statistics_and_a_range() -> None:
    statistics = statistics_of(a=NORMAL, b=NORMAL)
    chosen = TensorRange(min=-4, max=4)
    assert quantization_noise(statistics, {"b": chosen, "c": chosen}).keys() == {"b"}


def test_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="no calibrator 'magic'") as caught:
        estimate(statistics_of(x=NORMAL), "magic")
    assert "mse" in caught.value.hint


def silu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-values.astype(np.float64)))


def logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def error_through(function, values: np.ndarray, chosen: TensorRange) -> float:
    """Mean squared error of the function of quantized values, worked out without the library."""
    scale = (chosen.max - chosen.min) / 255
    zero_point = round(-chosen.min / scale)
    codes = np.clip(np.rint(values.astype(float) / scale) + zero_point, 0, 255)
    found = function(((codes - zero_point) * scale).astype(np.float32))
    return float(np.mean((found - function(values)) ** 2))


WIDE = {
    "wide normal": NORMAL * 8 - 3,
    "negative tail": np.where(NORMAL < 0, NORMAL * 20, NORMAL),
    "heavy": HEAVY,
    "narrow": NORMAL * 0.5,
}
PURPOSES = {"silu": silu, "logistic": logistic}


@pytest.mark.parametrize("function", PURPOSES.values(), ids=PURPOSES)
@pytest.mark.parametrize("name", WIDE)
def test_mse_range_for_a_purpose_errs_less_through_it(name: str, function) -> None:
    values = WIDE[name].astype(np.float32)
    statistics = statistics_of(x=values)
    plain = estimate(statistics, "mse")["x"]
    fitted = estimate(statistics, "mse", 8, {"x": Purpose(function)})["x"]
    slack = 1.02  # the histogram's bins
    before = error_through(function, values, plain)
    assert error_through(function, values, fitted) <= before * slack + 1e-9


def test_range_of_a_silu_input_is_cut_below() -> None:
    values = WIDE["negative tail"].astype(np.float32)
    statistics = statistics_of(x=values)
    assert values.min() < -60
    known = {"x": Purpose(silu)}
    for method in METHODS:
        plain, cut = estimate(statistics, method)["x"], estimate(statistics, method, 8, known)["x"]
        assert cut.min > max(-11.0, plain.min - 1e-3)
    # And of half the error at least: levels that no one needs are used for what is left.
    fitted = estimate(statistics, "mse", 8, known)["x"]
    plain = estimate(statistics, "mse")["x"]
    assert error_through(silu, values, fitted) < 0.5 * error_through(silu, values, plain)


@pytest.mark.parametrize("method", METHODS)
def test_range_of_logits_keeps_the_largest(method: str) -> None:
    # Scores: nearly all far below zero, a handful above.
    values = np.concatenate([NORMAL - 12, np.float32([2.5, 4.0])])
    statistics = statistics_of(x=values)
    known = {"x": Purpose(logistic, keep_extremes=True)}
    chosen = estimate(statistics, method, 8, known)["x"]
    assert 3.95 < chosen.max <= 4.0
    assert -9.5 < chosen.min < -7.0


@settings(deadline=None)
@given(SHORT, st.sampled_from(sorted(METHODS)), st.booleans())
def test_range_for_a_purpose_holds_zero_and_nothing_unseen(
    values: np.ndarray, method: str, keep: bool
) -> None:
    known = {"x": Purpose(lambda given: np.clip(given, -3, 6), keep_extremes=keep)}
    chosen = estimate(statistics_of(x=values), method, 8, known)["x"]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    slack = (high - low) * 0.01 + 1e-9  # admm's scale may grow a little
    assert chosen.min <= 0 <= chosen.max
    assert chosen.min < chosen.max
    assert chosen.min >= low - slack
    assert chosen.max <= high + slack or chosen == TensorRange(min=0.0, max=1.0)


@pytest.mark.parametrize("function", PURPOSES.values(), ids=PURPOSES)
@pytest.mark.parametrize("name", ["wide normal", "narrow", "heavy"])
def test_expected_error_through_a_function_is_that_of_quantizing_the_values(
    name: str, function
) -> None:
    values = WIDE[name].astype(np.float32)
    tensor = statistics_of(x=values).tensors["x"]
    chosen = TensorRange(min=-6.0, max=9.0)
    model = ErrorModel(tensor, 8, function)
    expected = float(model.error(*model.grid(chosen.min, chosen.max)))
    assert expected == pytest.approx(error_through(function, values, chosen), rel=0.1)

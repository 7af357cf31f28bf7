from __future__ import annotations

import numpy as np
import pytest

from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import Statistics, collect
from mobileq.progress import Silent
from mobileq.quantize.gated_ranges import narrow
from mobileq.quantize.simulate import affine
from mobileq.spec import TensorRange

from .repairs.conftest import network

_W = np.eye(8).reshape(8, 8, 1, 1) * 40.0


def _narrowed(between: str) -> tuple[TensorRange, TensorRange, Statistics]:
    model = network(f"c = Conv(x, w) {between} y = Conv(t, v)", {"w": _W, "v": _W})
    generator = np.random.default_rng(2)
    samples = [{"x": generator.normal(size=(1, 8, 12, 12)).astype(np.float32)} for _ in range(8)]
    statistics = collect(model.SerializeToString(), None, samples, Silent())
    ranges = estimate(statistics, "min_max")
    return ranges["c"], narrow(model, statistics, ranges)["c"], statistics


def test_what_silu_takes_is_cut_below_and_its_error_behind_it_is_less() -> None:
    before, after, statistics = _narrowed("s = Sigmoid(c) t = Mul(c, s)")
    assert before.min < -100.0
    assert -12.0 < after.min < -1.0
    assert after.max == before.max
    histogram = statistics.tensors["c"].histogram
    values = histogram.centers()

    def silu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))

    def error(found: TensorRange) -> float:
        scale, zero = affine(found)
        taken = (np.clip(np.round(values / scale) + zero, 0, 255) - zero) * scale
        return float(histogram.counts @ (silu(taken) - silu(values)) ** 2)

    assert error(after) < 0.5 * error(before)


def test_what_only_a_sigmoid_takes_is_cut_at_both_ends() -> None:
    _, after, _ = _narrowed("t = Sigmoid(c)")
    assert -12.0 < after.min < -1.0
    assert 1.0 < after.max < 12.0


@pytest.mark.parametrize(
    "between", ["t = Relu(c)", "t = Identity(c)", "s = Sigmoid(c) u = Mul(c, s) t = Add(u, c)"]
)
def test_what_others_take_too_keeps_its_range(between: str) -> None:
    before, after, _ = _narrowed(between)
    assert after == before

"""Plain noise: how far numbers are from the float model's, in parts of their power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobileq.tasks.noise import NoiseReference


def noise(reference: dict[str, Any], found: dict[str, Any]) -> float:
    return NoiseReference(reference).compare(found).noise


def test_noise_is_the_mean_share_of_all_outputs() -> None:
    reference = {"a": np.float32([3, 4]), "b": np.float32([1])}
    found = {"a": np.float32([3, 4.5]), "b": np.float32([1.2])}
    assert noise(reference, found) == pytest.approx((0.25 / 25 + 0.04) / 2, rel=1e-5)
    assert noise(reference, reference) == 0.0


def test_noise_of_an_output_that_is_always_zero() -> None:
    silent = {"a": np.zeros(3, np.float32)}
    assert noise(silent, silent) == 0.0
    assert noise(silent, {"a": np.float32([0, 0.1, 0])}) == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_are_the_worst_of_all(value: float) -> None:
    reference = {"a": np.float32([1, 2])}
    bad = noise(reference, {"a": np.float32([1, value])})
    assert np.isfinite(bad)
    assert bad > noise(reference, {"a": np.float32([-100, 100])})
    # Unless the float model gives the same.
    assert noise({"a": np.float32([1, value])}, {"a": np.float32([1, 5])}) == 0.0


def test_values_beyond_all_squares_are_no_numbers_either() -> None:
    reference = {"a": np.float32([1, 2])}
    assert noise(reference, {"a": np.float32([1, 3e19])}) == noise(
        reference, {"a": np.float32([1, np.inf])}
    )

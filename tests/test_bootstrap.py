"""Estimates on pictures, and what they differ by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobileq.bootstrap import PERFECT, Estimate, mean_of

COUNT = 200
PICTURES = np.random.default_rng(0).normal(1.0, 0.5, COUNT)


def test_the_standard_error_of_a_mean_is_the_textbook_one() -> None:
    found = mean_of(PICTURES)
    assert found.value == PICTURES.mean()
    assert found.error == pytest.approx(PICTURES.std(ddof=1) / math.sqrt(COUNT), rel=0.1)


def test_a_difference_is_paired_and_factors_are_kept() -> None:
    whole, part = mean_of(PICTURES), mean_of(0.5 * PICTURES)
    assert (whole - part).error == pytest.approx(part.error)
    assert (part * 2.0 - whole).error == pytest.approx(0.0, abs=1e-12)
    assert (PERFECT - whole).error == pytest.approx(whole.error)
    assert PERFECT.error == 0.0


@pytest.mark.parametrize(("noise", "expected"), [(0.01, True), (1.0, False)])
def test_what_is_larger_by_chance_does_not_exceed(noise: float, expected: bool) -> None:
    off = np.random.default_rng(1).normal(0.0, noise, COUNT)
    larger = mean_of(PICTURES + 0.02 + off - off.mean())
    assert larger.value > mean_of(PICTURES).value
    assert larger.exceeds(mean_of(PICTURES)) is expected
    assert not mean_of(PICTURES).exceeds(larger)


def test_what_failed_exceeds_all_that_did_not() -> None:
    endless = Estimate(math.inf, math.inf)
    assert endless.exceeds(mean_of(PICTURES))
    assert not mean_of(PICTURES).exceeds(endless)
    assert not endless.exceeds(endless)

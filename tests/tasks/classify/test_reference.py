from __future__ import annotations

import numpy as np
import pytest

from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.tasks.base import Compared
from mobileq.tasks.classify.reference import ClassifyReference

LOGITS = ClassesSpec(class_count=1000)
SHARES = ClassesSpec(class_count=3, values="probabilities")
DRAWN = np.random.default_rng(0)
VALUES = DRAWN.normal(0, 2, (1, 1000)).astype(np.float32)


def _compare(spec: ClassesSpec, wanted: np.ndarray, found: np.ndarray) -> Compared:
    head = ClassHead(name="y", output="y", class_count=spec.class_count, values=spec.values)
    return ClassifyReference((head,), {"y": wanted}, True).compare({"y": np.float32(found)})


def test_error_grows_with_the_square_of_small_noise() -> None:
    noise = DRAWN.normal(0, 1, VALUES.shape).astype(np.float32)
    errors = [_compare(LOGITS, VALUES, VALUES + part * noise).error for part in (0.01, 0.02, 0.04)]
    assert errors[1] / errors[0] == pytest.approx(4, rel=0.02)
    assert errors[2] / errors[1] == pytest.approx(4, rel=0.02)


def test_small_error_is_an_eighth_of_the_variance_of_what_logits_are_off() -> None:
    noise = DRAWN.normal(0, 0.01, VALUES.shape).astype(np.float32)
    shares = np.exp(VALUES[0].astype(float)) / np.exp(VALUES[0].astype(float)).sum()
    variance = (shares * noise[0] ** 2).sum() - (shares * noise[0]).sum() ** 2
    compared = _compare(LOGITS, VALUES, VALUES + noise)
    assert compared.error - 1e-3 * compared.noise == pytest.approx(variance / 8, rel=0.02)


def test_offset_of_all_logits_changes_no_answer_and_costs_next_to_nothing() -> None:
    shifted = _compare(LOGITS, VALUES, VALUES + 1)
    noisy = _compare(LOGITS, VALUES, VALUES + DRAWN.normal(0, 1, VALUES.shape))
    assert shifted.noise > 0.1
    assert shifted.error < noisy.error / 100


def test_shares_rounded_to_nothing_are_a_finite_distance_away() -> None:
    wanted = np.array([[0.96, 0.03, 0.01]], np.float32)
    compared = _compare(SHARES, wanted, np.array([[1, 0, 0]]))
    assert 0.0 < compared.error < 0.1
    other = _compare(SHARES, np.array([[1, 0, 0]], np.float32), np.array([[0, 1, 0]]))
    assert other.error == pytest.approx(1.0, abs=0.01)


def test_picture_that_the_model_is_sure_of_is_decided_by_noise() -> None:
    sure = np.array([[1, 0, 0]], np.float32)
    less, more = (_compare(ClassesSpec(class_count=3), 200 * sure, factor * sure).error
                  for factor in (190, 150))  # fmt: skip
    assert 0.0 < less < more < 1e-3


def test_what_is_no_number_is_as_far_as_can_be() -> None:
    compared = _compare(LOGITS, VALUES, np.full_like(VALUES, np.nan))
    assert compared.error >= 1.0
    assert compared.answer is not None
    assert [len(best) for best in compared.answer] == [0]


def test_all_pictures_of_a_batch_count() -> None:
    batch = np.repeat(np.array([[0.5, 0.3, 0.2]], np.float32), 2, axis=0)
    found = batch.copy()
    found[1] = 0.2, 0.3, 0.5
    assert _compare(SHARES, batch, found).error > 0.01

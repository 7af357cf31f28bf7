"""What is too far off to be used is refused, whatever kind of model it is."""

from __future__ import annotations

import numpy as np
import pytest

from mobileq.evaluate.floors import FLOORS, below_floor, is_grey
from mobileq.evaluate.numeric import OutputComparer, OutputComparison
from mobileq.tasks.base import Figures, measure_of

LOGITS = np.random.default_rng(0).normal(0, 3, (1, 1000))
NOISE = np.random.default_rng(1).normal(0, 3, (1, 1000))


def _compared(found: np.ndarray) -> tuple[OutputComparison, ...]:
    comparer = OutputComparer("logits")
    comparer.update(LOGITS, found)
    return (comparer.result(),)


BOXES = measure_of("detect")


def _answers(map50_95: float, objects: int = 50) -> Figures:
    return {"map50_95": map50_95, "reference_count": objects}


@pytest.mark.parametrize("precision", FLOORS)
@pytest.mark.parametrize(
    "found",
    [LOGITS * 0, -LOGITS, LOGITS[:, ::-1], NOISE, LOGITS + 0.9 * NOISE],
    ids=["zeros", "negated", "turned round", "noise", "1 dB"],
)
def test_wrong_outputs_are_below_every_floor(precision: str, found: np.ndarray) -> None:
    assert "'logits' has " in str(below_floor(precision, _compared(found)))


@pytest.mark.parametrize("precision", FLOORS)
def test_noise_of_eight_bits_is_above(precision: str) -> None:
    compared = _compared(LOGITS + 0.05 * NOISE)
    assert below_floor(precision, compared) is None
    assert not is_grey(precision, compared, None)


def test_what_is_hardly_above_is_grey() -> None:
    compared = _compared(LOGITS + 0.3 * NOISE)
    assert below_floor("int8", compared) is None
    assert is_grey("int8", compared, None)


def test_answers_that_agree_excuse_noise_and_few_of_them_do_not() -> None:
    noisy = _compared(LOGITS + 0.9 * NOISE)
    assert below_floor("int8", noisy, BOXES, _answers(0.6)) is None
    assert below_floor("int8", noisy, BOXES, _answers(0.01)) is not None
    assert below_floor("int8", noisy, BOXES, _answers(1.0, objects=1)) is not None
    assert below_floor("fp32", noisy) is None, "which has a tolerance"


def test_best_classes_that_may_agree_by_chance_excuse_no_noise() -> None:
    always = {"top1": 1.0, "reference_count": 8}
    assert below_floor("int8", _compared(LOGITS * 0), measure_of("classify"), always)
    assert not below_floor("int8", _compared(LOGITS * 0.8), measure_of("classify"), always)

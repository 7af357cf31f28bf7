from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mobileq.tasks.classify.classes import TopClasses
from mobileq.tasks.classify.scores import accuracy, agreement, difference


def _best(**shares: float) -> TopClasses:
    """`_best(c3=0.7, c1=0.2)`, the best first."""
    ids = [int(name[1:]) for name in shares]
    return TopClasses(np.array(ids, np.int32), np.array([*shares.values()], np.float32))


def _answer(**shares: float) -> tuple[TopClasses]:
    return (_best(**shares),)


ONE = ("y",)
SIX = {"c0": 0.4, "c1": 0.2, "c2": 0.15, "c3": 0.1, "c4": 0.1, "c5": 0.05}


def test_top1_and_top5_are_shares_of_pictures_with_their_standard_errors() -> None:
    found = accuracy([[0], [4], [5], [0]], [_answer(**SIX)] * 4, ONE).figures
    assert found["top1"] == 0.5
    assert found["top1_se"] == pytest.approx(math.sqrt(0.5 * 0.5 / 4))
    assert found["top5"] == 0.75
    assert found["top5_se"] == pytest.approx(math.sqrt(0.75 * 0.25 / 4))


def test_picture_without_an_answer_is_wrong() -> None:
    assert accuracy([[0], [0]], [_answer(), _answer(c0=1.0)], ONE).figures["top1"] == 0.5


def test_agreement_is_of_the_best_class_and_distance_of_all_shares() -> None:
    wanted = [_answer(c0=0.8, c1=0.2), _answer(c0=0.5, c1=0.5), _answer(c2=1.0)]
    found = [_answer(c0=0.6, c1=0.4), _answer(c1=0.5, c0=0.5), _answer(c3=1.0)]
    figures = agreement(wanted, found, ONE).figures
    assert figures["reference_count"] == 3
    assert figures["top1"] == pytest.approx(1 / 3)
    assert figures["top1_se"] == pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 3))
    assert figures["distance"] == pytest.approx((0.2 + 0.0 + 1.0) / 3)


def test_where_the_reference_names_nothing_there_is_nothing_to_agree_with() -> None:
    scored = agreement([_answer(), _answer(c0=1.0)], [_answer(c1=1.0), _answer(c0=1.0)], ONE)
    # The first picture has no answer to agree with, however often it is drawn.
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    assert scored.resampled(weights).tolist() == [1.0, 0.0, 1.0]
    figures = scored.figures
    assert (figures["top1"], figures["reference_count"]) == (1.0, 1)
    assert agreement([_answer()], [_answer()], ONE).figures["reference_count"] == 0


def test_heads_count_one_by_one_and_pictures_make_the_error() -> None:
    right, wrong = (_best(c0=1.0), _best(c2=1.0)), (_best(c1=1.0), _best(c3=1.0))
    figures = accuracy([[0, 2]] * 4, [right, right, wrong, wrong], ("age", "gender")).figures
    assert figures["top1"] == 0.5
    assert figures["top1_se"] == pytest.approx(math.sqrt(0.5 * 0.5 / 4)), "not of 8 answers"
    assert figures["top1_by_head"] == {"age": 0.5, "gender": 0.5}
    half = (_best(c0=1.0), _best(c3=1.0))
    figures = agreement([right] * 2, [right, half], ("age", "gender")).figures
    assert (figures["reference_count"], figures["top1"]) == (4, 0.75)
    assert figures["top1_by_head"] == {"age": 1.0, "gender": 0.5}


def test_head_that_nobody_labelled_is_left_out() -> None:
    answers = [(_best(c0=1.0), _best(c2=1.0))] * 2
    figures = accuracy([[0, None], [1, 2]], answers, ("age", "gender")).figures
    assert figures["top1"] == pytest.approx(2 / 3)
    assert figures["top1_by_head"] == {"age": 0.5, "gender": 1.0}


@pytest.mark.parametrize(
    ("wanted", "found", "amount", "told"),
    [
        (_answer(c0=0.8, c1=0.2), _answer(c0=0.78, c1=0.22), 0.02, ()),
        (_answer(c0=0.8, c1=0.2), _answer(c0=0.6, c1=0.4), 0.2, ("cat 0.60 instead of 0.80",)),
        (
            _answer(c0=0.51, c1=0.49),
            _answer(c1=0.52, c0=0.48),
            0.03,
            ("dog 0.52 instead of cat 0.51",),
        ),
        (_answer(c0=1.0), _answer(c7=1.0), 1.0, ("class 7 1.00 instead of cat 1.00",)),
        (_answer(c0=1.0), _answer(), 0.5, ("no class instead of cat 1.00",)),
        (_answer(), _answer(), 0.0, ()),
    ],
)
def test_a_picture_is_told_by_its_best_class_or_how_probable_it_is(
    wanted: Any, found: Any, amount: float, told: tuple[str, ...]
) -> None:
    different = difference(wanted, found, ("cat", "dog"))
    assert different.told == told
    assert different.amount == pytest.approx(amount if told else 0.0)


def test_heads_are_told_the_most_first() -> None:
    wanted = (_best(c0=0.9, c1=0.1), _best(c2=1.0))
    found = (_best(c0=0.8, c1=0.2), _best(c3=1.0))
    different = difference(wanted, found, (*"abcd",))
    assert different.told == ("d 1.00 instead of c 1.00", "a 0.80 instead of 0.90")
    assert different.amount == pytest.approx(1.1)
    ((shares),) = different.values.values()
    assert shares == pytest.approx([-0.1, -1.0])

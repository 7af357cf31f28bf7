"""What a file must reach in each precision to be called done: one table for all kinds of models."""

from __future__ import annotations

from collections.abc import Iterable

from mobileq.evaluate.coco import AgreementScores
from mobileq.evaluate.numeric import OutputComparison, RoleComparison
from mobileq.spec import Precision, Spec


class Floor(Spec, frozen=True, kw_only=True):
    """Below `sqnr_db` in its worst output a file fails; below `good_db` a person is told.

    `agreement` decides beside them where the model's answers are known: a file whose answers agree
    at least so far is kept whatever the noise of its numbers.
    """

    sqnr_db: float
    good_db: float
    agreement: float


FLOORS: dict[Precision, Floor] = {
    "dynamic": Floor(sqnr_db=10.0, good_db=20.0, agreement=0.3),
    "w8": Floor(sqnr_db=10.0, good_db=20.0, agreement=0.3),
    "int16x8": Floor(sqnr_db=10.0, good_db=20.0, agreement=0.3),
    "int8": Floor(sqnr_db=6.0, good_db=15.0, agreement=0.1),
    "int8-full": Floor(sqnr_db=6.0, good_db=15.0, agreement=0.1),
}
"""By the integer precisions; the float ones have tolerances (`numeric.TOLERANCES`).

An output that is all zeros has 0 dB, one that is negated -6, a file that was made of wrong ranges
or zero-points 1 to 3. 6 dB is an error half as large as the signal: a cosine of 0.87. Eight bits of
weights alone give 25 to 45 dB, 10 where depthwise convolutions spread their ranges most. Of
detectors, whose scores are small numbers between many zeros, right int8 files have 8 to 15 dB in
their worst role, and wrong ones that find nothing agree by less than 0.02.
"""
_ENOUGH_OBJECTS = 5
"""Fewer tell nothing about agreement."""


def below_floor(
    precision: Precision,
    compared: Iterable[OutputComparison | RoleComparison],
    answers: AgreementScores | None,
) -> str | None:
    """Why the file is not good enough, in half a sentence; None where it is."""
    floor = FLOORS.get(precision)
    worst = _worst(compared)
    if floor is None or worst is None:
        return None
    name, sqnr_db = worst
    if sqnr_db >= floor.sqnr_db or _agrees(answers, floor):
        return None
    return f"{name!r} has {sqnr_db:.1f} dB SQNR, under the {floor.sqnr_db:g} that {precision} needs"


def is_grey(
    precision: Precision,
    compared: Iterable[OutputComparison | RoleComparison],
    answers: AgreementScores | None,
) -> bool:
    """Whether the file is above its floor, but so little that a person should look at it."""
    floor, worst = FLOORS.get(precision), _worst(compared)
    known = answers is not None and answers.reference_count >= _ENOUGH_OBJECTS
    return floor is not None and worst is not None and not known and worst[1] < floor.good_db


def _agrees(answers: AgreementScores | None, floor: Floor) -> bool:
    if answers is None or answers.reference_count < _ENOUGH_OBJECTS:
        return False
    return answers.map50_95 >= floor.agreement


def _worst(
    compared: Iterable[OutputComparison | RoleComparison],
) -> tuple[str, float] | None:
    known = [
        (each.sqnr_db, each.role if isinstance(each, RoleComparison) else each.name)
        for each in compared
        if each.sqnr_db is not None and not (isinstance(each, RoleComparison) and each.silent)
    ]
    return (min(known)[1], min(known)[0]) if known else None

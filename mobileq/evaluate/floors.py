"""What a file must reach in each precision to be called done: one table for all kinds of models."""

from __future__ import annotations

from collections.abc import Iterable

from mobileq.evaluate.numeric import OutputComparison, RoleComparison
from mobileq.spec import Precision, Spec
from mobileq.tasks.base import COUNT, Figures, Measure, figure


class Floor(Spec, frozen=True, kw_only=True):
    """Below `sqnr_db` in its worst output a file fails; below `good_db` a person is told.

    Where the model's answers are known, `Measure.floors` decide beside them: a file whose answers
    agree at least so far is kept whatever the noise of its numbers.
    """

    sqnr_db: float
    good_db: float


FLOORS: dict[Precision, Floor] = {
    "dynamic": Floor(sqnr_db=10.0, good_db=20.0),
    "w8": Floor(sqnr_db=10.0, good_db=20.0),
    "int16x8": Floor(sqnr_db=10.0, good_db=20.0),
    "int8": Floor(sqnr_db=6.0, good_db=15.0),
    "int8-full": Floor(sqnr_db=6.0, good_db=15.0),
}
"""By the integer precisions; the float ones have tolerances (`PrecisionInfo.tolerance`).

An output that is all zeros has 0 dB, one that is negated -6, a file that was made of wrong ranges
or zero-points 1 to 3. 6 dB is an error half as large as the signal: a cosine of 0.87. Eight bits of
weights alone gave 14 to 45 dB.

Right files of twenty exports with random weights (`tools/export_models.py`, 16 photos, no search)
had at least: dynamic 31 dB, w8 34, int16x8 36 (of three), int8 16 on TFLite and 23 on MNN. Below
that is a ViT, 6.9 and 7.7 dB on TFLite (its two exports): what its class token adds up to is small
beside the tokens of the picture, with which it shares a scale. Such a file is kept, with a word.
"""


def below_floor(
    precision: Precision,
    compared: Iterable[OutputComparison | RoleComparison],
    measure: Measure | None = None,
    agreed: Figures | None = None,
) -> str | None:
    """Why the file is not good enough, in half a sentence; None where it is.

    Args:
        measure: The task's, and
        agreed: how far answers agree by it, where there are any.
    """
    floor = FLOORS.get(precision)
    worst = _worst(compared)
    if floor is None or worst is None:
        return None
    name, sqnr_db = worst
    least = floor.sqnr_db
    if measure is not None and agreed is not None:
        excused = measure.floors.get(precision)
        if figure(agreed, COUNT) < measure.enough:
            least *= measure.unsure
        elif excused is not None and measure.value(agreed) >= excused:
            return None
    if sqnr_db >= least:
        return None
    return f"{name!r} has {sqnr_db:.1f} dB SQNR, under the {least:g} that {precision} needs"


def is_grey(
    precision: Precision,
    compared: Iterable[OutputComparison | RoleComparison],
    agreed: Figures | None,
) -> bool:
    """Whether the file is above its floor, but so little that a person should look at it."""
    floor, worst = FLOORS.get(precision), _worst(compared)
    # Where answers can be compared they say more, and where there are none no one could look.
    return floor is not None and worst is not None and not agreed and worst[1] < floor.good_db


def _worst(
    compared: Iterable[OutputComparison | RoleComparison],
) -> tuple[str, float] | None:
    known = [
        (each.sqnr_db, each.role if isinstance(each, RoleComparison) else each.name)
        for each in compared
        if each.sqnr_db is not None and not (isinstance(each, RoleComparison) and each.silent)
    ]
    return (min(known)[1], min(known)[0]) if known else None

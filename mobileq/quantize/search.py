"""Which ops stay float: as few as it takes, found by trying real files.

On a few dozen pictures most differences between files are chance. A file is taken for what is
certain, that it does less in float or is made as is usually best, unless another is shown to cost
less: the difference is beyond its standard error, as in the rule by which trees are pruned
(L. Breiman and others, "Classification and Regression Trees", 1984, section 3.4.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mobileq.bootstrap import Estimate, certain
from mobileq.spec import Spec

_ALIKE = 1.1
"""Times the least cost, where that has no standard error: below it what is certain decides."""
_ENOUGH = 1.15
"""Times the cost that the most float ops leave: more of them bring little."""
ENOUGH_ERROR = 1.5
"""Times the error that they leave, where something else decides. More float ops leave less: that is
certain, so how much less is taken as it looks, where a measure's noise hides it. On two dozen
pictures .025 mAP was not shown where a third of the error was left, and was .009 on five hundred.
"""
_EXPECTED_OVER = 1.15
"""How far above what pictures show what is expected of a level may be, in parts of the last one's
error. It was by this much in the middle of ten levels of four detectors, on pictures that decided
nothing: errors are added up as if none took from another. Where errors decide, the pictures that
files are calibrated on show too little of them, and what is expected is nearer to the others.
"""
LEAST_ERROR = 1e-12
"""Stands for none, where errors are divided."""


class Trial(Spec, frozen=True, kw_only=True):
    """One file that was made, run on the decision pictures and thrown away.

    Attributes:
        error: Of its outputs, see `mobileq.tasks.base.Compared`; None where there is a `problem`.
        lost: Of the task's measure (mAP50-95 of boxes), what it lost against the float model; None
            where that has none, or the file was given up for its `error`.
        problem: Why it could not be made or run, in one sentence.
        few_objects: There are too few answers in the pictures for `lost` to choose by.
        standard_error: Of what choices are made by, `lost` or `error`, as a figure by itself; what
            two files differ by has a smaller one, for they are run on the same pictures.
    """

    calibrator: str
    repairs: tuple[str, ...] = ()
    float_groups: int = 0
    error: float | None = None
    lost: float | None = None
    problem: str | None = None
    few_objects: bool = False
    standard_error: float | None = None
    size_bytes: int = 0


@dataclass(frozen=True)
class Tried:
    """A trial, and on resampled pictures what choices are made by.

    That is what of the measure is lost, where there is one. Of boxes, scores that are all a little
    lower cost no mAP, but make a large error; of boxes that are off by a tenth it is the opposite.

    Attributes:
        errors: Of the pictures that were looked at; `Trial.error` is their mean.
    """

    trial: Trial
    cost: Estimate
    errors: tuple[float, ...] = ()


def never_taken(trial: Trial) -> Tried:
    """A file that does not work, or is off by too much, costs more than any."""
    return Tried(trial, certain(math.inf))


def times_off(errors: Sequence[float], first: Sequence[float]) -> float:
    """How many times as far off as the first a file is, on the pictures that both were run on.

    The geometric mean of the pictures' ratios. One picture in ten has most of the errors' sum: by
    sums, weights that left two thirds of the error on other pictures seemed to double it.
    """
    pairs = zip(errors, first, strict=False)
    ratios = [max(each, LEAST_ERROR) / max(other, LEAST_ERROR) for each, other in pairs]
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else 1.0


def holds(tried: Tried, first: Tried) -> bool:
    """Whether a file works, and is not off by too much to be taken in place of the first."""
    return tried.trial.problem is None and times_off(tried.errors, first.errors) <= ENOUGH_ERROR


def best[T](choices: Sequence[T], measure: Callable[[T], Tried]) -> T:
    """The first choice that is not shown to cost more than the one that costs least."""
    costs = [measure(choice).cost for choice in choices]
    least = min(costs, key=lambda cost: cost.value)
    enough = least if least.error or least.value < 0 else least * _ALIKE
    return next(
        choice for choice, cost in zip(choices, costs, strict=True) if not cost.exceeds(enough)
    )


def promising(expected: Sequence[float], by_measure: bool) -> tuple[int, ...]:
    """Levels that may be off by little enough, the last among them.

    Args:
        expected: By level, the error that its file should have.
        by_measure: Files are chosen by the task's measure, and not by how far they are off.
    """
    most = expected[-1] * ENOUGH_ERROR * (_EXPECTED_OVER if by_measure else 1.0)
    return tuple(level for level, error in enumerate(expected) if error <= most)


class FloatSearch:
    """Looks for the first of some levels, each with more float ops, that will do.

    Args:
        measure: Makes and runs the file of a level, and keeps what it gave: it is asked again.
        count: Of levels, at least 1.
    """

    def __init__(self, measure: Callable[[int], Tried], count: int) -> None:
        self._measure, self._asked = measure, set[int]()
        self._last = count - 1

    def tried(self, level: int) -> Tried:
        """A level's file."""
        self._asked.add(level)
        return self._measure(level)

    def within(self, budget: float) -> int | None:
        """The first level whose loss is within the budget; None where none is.

        As if all after one that is were so, too.
        """
        failed, level = -1, 0
        while not self._holds(level, budget):
            if level == self._last:
                return None
            failed, level = level, min(2 * level + 1, self._last)
        while level - failed > 1:
            middle = (failed + level) // 2
            if self._holds(middle, budget):
                level = middle
            else:
                failed = middle
        return level

    def worthwhile(self, promising: Sequence[int]) -> int:
        """The first level, of those tried, that is not shown to cost more than hardly more than the
        last, nor off by half as much again; where the file of the last does not work, the one that
        costs least of those before it.

        Args:
            promising: Levels, rising, the first of which is tried behind level 0.
        """
        last, level = self.tried(self._last), 0
        works = math.isfinite(last.cost.value)
        following = next((each for each in promising if each > 0), self._last)
        while level < self._last and not (works and _is_worth(self.tried(level), last)):
            level = (level + self._last + 1) // 2 if level else following
        return level if works else self.least_lost()

    def least_lost(self) -> int:
        """Of the levels tried, the one that lost least; the first of equals."""
        return min(sorted(self._asked), key=lambda level: self._measure(level).cost.value)

    def _holds(self, level: int, budget: float) -> bool:
        lost = self.tried(level).trial.lost
        return lost is not None and lost <= budget


def _is_worth(tried: Tried, last: Tried) -> bool:
    return holds(tried, last) and not tried.cost.exceeds(last.cost * _ENOUGH)

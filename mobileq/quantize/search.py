"""Which ops stay float: as few as it takes, found by trying real files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mobileq.spec import Spec

_ENOUGH = 1.15
"""Times the cost that the most float ops leave: more of them bring little."""
_ALIKE = 1.1


class Trial(Spec, frozen=True, kw_only=True):
    """One file that was made, run on the decision pictures and thrown away.

    Attributes:
        error: Of its outputs, see `mobileq.tasks.base.Compared`; None where there is a `problem`.
        lost: Of the task's measure (mAP50-95 of boxes), what it lost against the float model; None
            where that has none.
        problem: Why it could not be made or run, in one sentence.
        few_objects: There are too few answers in the pictures for `lost` to choose by.
    """

    calibrator: str
    repairs: tuple[str, ...] = ()
    float_groups: int = 0
    error: float | None = None
    lost: float | None = None
    problem: str | None = None
    few_objects: bool = False
    size_bytes: int = 0

    @property
    def cost(self) -> float:
        """What choices are made by: what of the measure is lost, where there is one.

        Of boxes, scores that are all a little lower cost no mAP, but make a large error; boxes that
        are off by a tenth are the other way round. A file that does not work costs more than any.
        """
        if self.error is None:
            return math.inf
        return self.error if self.lost is None or self.few_objects else self.lost


def best[T](choices: Sequence[T], measure: Callable[[T], Trial]) -> T:
    """The first choice that costs about as little as any: a tenth is chance on a few pictures."""
    costs = [measure(choice).cost for choice in choices]
    return next(
        choice for choice, cost in zip(choices, costs, strict=True) if cost <= _ALIKE * min(costs)
    )


class FloatSearch:
    """Looks for the first of some levels, each with more float ops, that will do.

    Args:
        measure: Makes and runs the file of a level; called once for each.
        count: Of levels, at least 1.
    """

    def __init__(self, measure: Callable[[int], Trial], count: int) -> None:
        self._measure, self._known = measure, dict[int, Trial]()
        self._last = count - 1

    def trial(self, level: int) -> Trial:
        """Of a level's file."""
        if level not in self._known:
            self._known[level] = self._measure(level)
        return self._known[level]

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

    def worthwhile(self) -> int:
        """The last level, or one before it that costs hardly more; where the file of the last does
        not work, the one that costs least of those before it."""
        enough = self.trial(self._last).cost * _ENOUGH
        level = 0
        while level < self._last and not self._is_worth(level, enough):
            level = min(2 * level + 1, self._last)
        return level if math.isfinite(enough) else self.least_lost()

    def _is_worth(self, level: int, enough: float) -> bool:
        return self.trial(level).cost <= enough < math.inf

    def least_lost(self) -> int:
        """Of the levels tried, the one that lost least; the first of equals."""
        return min(sorted(self._known), key=lambda level: self._known[level].cost)

    def _holds(self, level: int, budget: float) -> bool:
        lost = self.trial(level).lost
        return lost is not None and lost <= budget

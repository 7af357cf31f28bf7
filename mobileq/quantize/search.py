"""Which ops stay float: as few as it takes, found by trying real files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobileq.spec import Spec

MOST_FLOAT = 0.15
"""Share of the groups that may be float; a file with more is no integer file any more."""
_ENOUGH = 1.15
"""Times the cost that the most float groups leave: float ops beyond that bring little."""
_GROWTH = 3
_ALIKE = 1.1


class Trial(Spec, frozen=True, kw_only=True):
    """One file that was made, run on the decision pictures and thrown away.

    Attributes:
        error: Of its outputs, see `quantize.distance`.
        lost: mAP50-95 that it lost against the float model; None where nothing can be decoded.
    """

    calibrator: str
    repairs: tuple[str, ...] = ()
    float_groups: int = 0
    error: float
    lost: float | None = None
    size_bytes: int

    @property
    def cost(self) -> float:
        """What choices are made by: the lost mAP, where there is one.

        Scores that are all a little lower cost no mAP, but make a large error; boxes that are off
        by a tenth are the other way round.
        """
        return self.error if self.lost is None else self.lost


def best[T](choices: Sequence[T], measure: Callable[[T], Trial]) -> T:
    """The first choice that costs about as little as any: a tenth is chance on a few pictures."""
    costs = [measure(choice).cost for choice in choices]
    return next(
        choice for choice, cost in zip(choices, costs, strict=True) if cost <= _ALIKE * min(costs)
    )


class FloatSearch:
    """Looks for the smallest number of float groups, taken in the order of their sensitivity.

    Args:
        measure: Makes and runs the file with so many groups in float; called once for each number.
        count: Of groups.
    """

    def __init__(self, measure: Callable[[int], Trial], count: int) -> None:
        self._measure, self._known = measure, dict[int, Trial]()
        self.most = max(1, int(count * MOST_FLOAT)) if count else 0

    def trial(self, number: int) -> Trial:
        """With `number` float groups."""
        if number not in self._known:
            self._known[number] = self._measure(number)
        return self._known[number]

    def within(self, budget: float) -> int | None:
        """The smallest number whose loss of mAP is within the budget, or up to a third more.

        None where none is.
        """
        return self._smallest(lambda trial: trial.lost is not None and trial.lost <= budget)

    def worthwhile(self) -> int:
        """A number beyond which more float groups bring little; at most three times as many."""
        floor = self.trial(self.most).cost * _ENOUGH
        number = 0
        while number < self.most and self.trial(number).cost > floor:
            number = self._more(number)
        return number

    def least_lost(self) -> int:
        """Of the numbers tried, the one that lost least; the smallest of equals."""
        return min(sorted(self._known), key=lambda number: self._known[number].cost)

    def _more(self, number: int) -> int:
        return min(max(1, _GROWTH * number), self.most)

    def _smallest(self, holds: Callable[[Trial], bool]) -> int | None:
        """Growing until it holds, then halving the gap, as if it held for all larger numbers."""
        failed, number = -1, 0
        while not holds(self.trial(number)):
            if number >= self.most:
                return None
            failed, number = number, self._more(number)
        while number - failed > max(1, number // 4):
            middle = (failed + number) // 2
            failed, number = (failed, middle) if holds(self.trial(middle)) else (middle, number)
        return number

"""Which ops stay float: as few as it takes, found by trying real files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobileq.spec import Spec

MOST_FLOAT = 0.25
"""Share of the groups that may be float; a file with more is no integer file any more."""
_ENOUGH = 1.1
"""Times the square error that the most float groups leave: float ops beyond that bring little."""


class Trial(Spec, frozen=True, kw_only=True):
    """One file that was made, run on the decision pictures and thrown away.

    Attributes:
        error: Of its outputs, see `quantize.distance`.
        lost: mAP50-95 that it lost against the float model; None where nothing can be decoded.
        latency_ms: Median of a few runs on this machine.
    """

    calibrator: str
    repairs: tuple[str, ...] = ()
    float_groups: int = 0
    error: float
    lost: float | None = None
    latency_ms: float
    size_bytes: int


def best[T](choices: Sequence[T], measure: Callable[[T], Trial]) -> T:
    """The choice with the smallest error; the first of equals."""
    errors = [measure(choice).error for choice in choices]
    return choices[errors.index(min(errors))]


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
        """The smallest number whose loss of mAP is within the budget; None where none is."""
        return self._smallest(lambda trial: trial.lost is not None and trial.lost <= budget)

    def worthwhile(self) -> int:
        """The smallest number beyond which more float groups bring little."""
        floor = self.trial(self.most).error * _ENOUGH
        found = self._smallest(lambda trial: trial.error <= floor)
        return self.most if found is None else found

    def least_lost(self) -> int:
        """Of the numbers tried, the one that lost least; the smallest of equals."""
        known = sorted(self._known)
        return min(known, key=lambda number: self._known[number].lost or 0.0)

    def _smallest(self, holds: Callable[[Trial], bool]) -> int | None:
        """Doubling until it holds, then halving the gap, as if it held for all larger numbers."""
        failed, number = -1, 0
        while not holds(self.trial(number)):
            if number >= self.most:
                return None
            failed, number = number, min(max(1, 2 * number), self.most)
        while number - failed > max(1, number // 4):
            middle = (failed + number) // 2
            failed, number = (failed, middle) if holds(self.trial(middle)) else (middle, number)
        return number

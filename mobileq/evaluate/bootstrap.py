"""Standard errors of what files differ by, by a paired bootstrap over pictures.

B. Efron, "Bootstrap Methods: Another Look at the Jackknife", The Annals of Statistics 7(1), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIMES = 1000
"""Resamples: the standard error of the standard error is then 2 %."""


@lru_cache(maxsize=1)
def resamples(count: int, times: int = TIMES, seed: int = 0) -> NDArray[Any]:
    """[times, count]: how often each of `count` pictures was drawn, `count` of them each time.

    The same for the same count: what two files give on them is paired.
    """
    import numpy as np

    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=times)
    weights: NDArray[Any] = drawn.astype(np.float64)
    weights.setflags(write=False)  # all who ask are given the same one
    return weights


@dataclass(frozen=True, eq=False)
class Estimate:
    """A figure of pictures, and what it is on each of their `resamples`."""

    value: float
    drawn: NDArray[Any] | float

    def __sub__(self, other: Estimate) -> Estimate:
        """Paired: resample by resample."""
        return Estimate(self.value - other.value, self.drawn - other.drawn)

    @property
    def error(self) -> float:
        """Its standard error."""
        import numpy as np

        return standard_error(np.asarray(self.drawn))


PERFECT = Estimate(1.0, 1.0)
"""On whatever pictures."""


def standard_error(figures: NDArray[Any]) -> float:
    """Of one figure, or of a difference of two, as `resamples` give it."""
    return float(figures.std(ddof=1))

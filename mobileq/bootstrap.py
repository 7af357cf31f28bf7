"""Standard errors of what files differ by, by a paired bootstrap over pictures.

B. Efron, "Bootstrap Methods: Another Look at the Jackknife", The Annals of Statistics 7(1), 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIMES = 1000
"""Resamples: the standard error of the standard error is then 2 %."""
SURE = 2.0
"""Standard errors: a larger difference is chance in one of twenty cases."""


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

    def __mul__(self, times: float) -> Estimate:
        """So many times the figure."""
        return Estimate(self.value * times, self.drawn * times)

    @property
    def error(self) -> float:
        """Its standard error; 0 of what is the same on all resamples."""
        import numpy as np

        drawn = np.asarray(self.drawn)
        return standard_error(drawn) if drawn.size > 1 else 0.0

    def exceeds(self, other: Estimate) -> bool:
        """Whether that is shown: the difference is beyond `SURE` of its standard errors."""
        if math.isinf(self.value) or math.isinf(other.value):
            return self.value > other.value
        difference = self - other
        return difference.value > SURE * difference.error


def certain(value: float) -> Estimate:
    """A figure whose every difference counts."""
    return Estimate(value, value)


PERFECT = certain(1.0)
"""On whatever pictures."""


def mean_of(figures: Sequence[float]) -> Estimate:
    """The mean of a figure that each picture has."""
    import numpy as np

    each = np.asarray(figures, np.float64)
    return Estimate(float(each.mean()), resamples(len(each)) @ each / len(each))


def standard_error(figures: NDArray[Any]) -> float:
    """Of one figure, or of a difference of two, as `resamples` give it."""
    return float(figures.std(ddof=1))

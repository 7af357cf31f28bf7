"""Watch activations, one sample at a time, and remember little: memory does not grow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BIN_COUNT = 4096
MOMENTUM = 0.9
_MIN_EXPONENT = -120
"""Bins are at least 2 ** this wide, so that their inverse is a float32."""
_LARGE = 2.0**40
"""Sums of the squares of larger values may be no float32."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """About `counts[i]` values lie in `[(first + i) * width, (first + i + 1) * width)`.

    `width` is a power of two and the smallest with which `BIN_COUNT` bins reach from min to max,
    zero included; 0 is an edge. So at least half of the bins are in use, and the histogram of a
    set of values does not depend on the order they came in. The counts are no whole numbers where
    they were told from a subsample.
    """

    width: float
    first: int
    counts: NDArray[np.float64]

    @property
    def bins(self) -> Bins:
        """Where they lie."""
        return Bins(math.frexp(self.width)[1] - 1, self.first)

    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        import numpy as np

        bins = np.arange(self.first, self.first + len(self.counts), dtype=np.float64)
        return (bins + 0.5) * self.width


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """Of each index along axis 1 of a 4-D tensor: float64 arrays [channels]."""

    min: NDArray[np.float64]
    max: NDArray[np.float64]
    mean: NDArray[np.float64]
    power: NDArray[np.float64]
    """The mean square."""


@dataclass(frozen=True, eq=False)
class TensorStatistics:
    """What is known of one activation tensor over all samples.

    `min`, `max` and the channels' are over every value; `mean`, `variance` and the channels' mean
    and power are over the subsample that was given as values, `histogram` over this and the
    extremes. `average_min` and `average_max` are the samples' own, averaged as they come with a
    momentum of 0.9. `importance` has, in the histogram's bins, how much the task's error rises with
    the square of what the values are off; None where nobody looked.
    """

    min: float
    max: float
    average_min: float
    average_max: float
    mean: float
    variance: float
    histogram: Histogram
    channels: ChannelStatistics | None = None
    importance: Histogram | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples of one tensor.

    `values` is float32 [samples, channels, values], a subsample of `value_count` values in each
    sample; `low` and `high`, float32 [samples, channels], are the extremes over all of these. A
    tensor without channels has one.
    """

    values: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    value_count: int


@dataclass(frozen=True)
class Bins:
    """Where `BIN_COUNT` bins lie: `2 ** exponent` wide each, from `first * 2 ** exponent` on."""

    exponent: int = _MIN_EXPONENT
    first: int = 0

    @classmethod
    def reaching(cls, low: float, high: float, exponent: int = _MIN_EXPONENT) -> Bins:
        """The narrowest that hold both, and 0, if these are `2 ** exponent` wide or more."""
        low, high = min(low, 0.0), max(high, 0.0)
        # Narrower bins than that don't reach, wherever their edges lie.
        exponent = max(exponent, math.frexp((high - low) / (BIN_COUNT + 1))[1] - 1)
        while math.floor(high / 2.0**exponent) - math.floor(low / 2.0**exponent) >= BIN_COUNT:
            exponent += 1
        return cls(exponent, math.floor(low / 2.0**exponent))

    def count(self, high: float) -> int:
        """Of those up to the one that holds `high`."""
        return math.floor(high / 2.0**self.exponent) - self.first + 1

    def places(self, values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
        """Which of the first `count` each value is in, or is nearest to.

        Args:
            values: Flat, and finite.
        """
        import numpy as np

        at = values * np.float32(2.0**-self.exponent)  # exact: a power of two
        np.floor(at, out=at)
        at -= np.float32(self.first)
        np.clip(at, 0, count - 1, out=at)
        return at.astype(np.intp)

    def moved(self, counts: NDArray[np.float64], into: Bins, count: int) -> NDArray[np.float64]:
        """Of the first `count` bins of another width what these hold, neighbours added up; where
        it ends before, the last has the rest."""
        import numpy as np

        used = np.flatnonzero(counts)
        # numpy leaves a shift by 64 or more bits undefined.
        wider = min(into.exponent - self.exponent, 63)
        at = self.first + used
        at = (at >> wider if wider >= 0 else at << -wider) - into.first
        places = np.clip(at, 0, count - 1)
        return np.bincount(places, counts[used], count).astype(np.float64, copy=False)


class WideningBins:
    """Counts whose bins widen as values come.

    When a value lies outside, the bins become two, four ... times as wide, by adding up
    neighbours; since widths are powers of two and zero is an edge, the counts stay exact.

    Attributes:
        bins: Those that reach to all that came.
        counts: float64 [BIN_COUNT], for who counts to add to.
    """

    def __init__(self) -> None:
        import numpy as np

        self._low = self._high = 0.0
        self.bins = Bins()
        self.counts: NDArray[np.float64] = np.zeros(BIN_COUNT)

    @property
    def used(self) -> int:
        """Bins up to the one that holds the largest, or 0."""
        return self.bins.count(self._high)

    def reach(self, low: float, high: float) -> None:
        """Widen them where these lie outside."""
        if low < self._low or high > self._high:
            self._low, self._high = min(low, self._low), max(high, self._high)
            wider = Bins.reaching(self._low, self._high, self.bins.exponent)
            self.counts = self.bins.moved(self.counts, wider, BIN_COUNT)
            self.bins = wider


class HistogramObserver:
    """A histogram that widens as values come; see `WideningBins`."""

    def __init__(self) -> None:
        self._counted = WideningBins()

    def update(
        self, values: NDArray[np.float32], low: float, high: float, weight: float = 1.0
    ) -> None:
        """Count finite float32 values; those that rounding put outside [low, high] as its ends.

        Args:
            values: Of any shape.
            low: The smallest value of the tensor, not only of these.
            high: The largest.
            weight: How many values one of them stands for.
        """
        import numpy as np

        own = self._counted
        own.reach(low, high)
        counts = np.bincount(own.bins.places(values.reshape(-1), own.used), minlength=BIN_COUNT)
        own.counts += counts if weight == 1 else counts * weight

    def histogram(self) -> Histogram:
        """What was counted, cut to the bins from min (or 0) to max (or 0)."""
        own = self._counted
        return Histogram(2.0**own.bins.exponent, own.bins.first, own.counts[: own.used].copy())


class TensorObserver:
    """Everything `TensorStatistics` says of one tensor, batch by batch."""

    def __init__(self) -> None:
        self._histogram = HistogramObserver()
        self._sums: NDArray[np.float64] | None = None
        self._low: NDArray[np.float32]
        self._high: NDArray[np.float32]
        self._average = (math.nan, math.nan)
        self._squares: NDArray[np.float64]
        self._value_count = 0
        self._channel_value_count = 0

    def update(self, batch: Batch) -> None:
        """Take in samples, of which each has at least one value.

        NaN and infinite values are no part of any range: a sample that has them is left out.
        """
        import numpy as np

        # Some reductions of ONNX Runtime skip NaN, so the values tell as well.
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.einsum("scv->sc", batch.values)  # sum() takes five times as long here
        finite = (np.isfinite(batch.low) & np.isfinite(batch.high) & np.isfinite(sums)).all(axis=1)
        if not finite.all():
            values, low, high = batch.values[finite], batch.low[finite], batch.high[finite]
            batch = Batch(values, low, high, batch.value_count)
            sums = sums[finite]
        if len(sums) == 0:
            return
        self._add_extremes(batch)
        self._add_sums(batch.values, sums)
        self._add_counts(batch)

    def statistics(self, per_channel: bool) -> TensorStatistics | None:
        """What was seen; None where no sample was finite."""
        if self._sums is None:
            return None
        mean = float(self._sums.sum()) / self._value_count
        channels = ChannelStatistics(
            self._low.astype(float),
            self._high.astype(float),
            self._sums / self._channel_value_count,
            self._squares / self._channel_value_count,
        )
        return TensorStatistics(
            min=float(self._low.min()),
            max=float(self._high.max()),
            average_min=self._average[0],
            average_max=self._average[1],
            mean=mean,
            variance=max(0.0, float(self._squares.sum()) / self._value_count - mean * mean),
            histogram=self._histogram.histogram(),
            channels=channels if per_channel else None,
        )

    def _add_extremes(self, batch: Batch) -> None:
        import numpy as np

        low, high = batch.low.min(axis=0), batch.high.max(axis=0)
        if self._sums is not None:
            low, high = np.minimum(low, self._low), np.maximum(high, self._high)
        self._low, self._high = low, high
        ends = zip(batch.low.min(axis=1).tolist(), batch.high.max(axis=1).tolist(), strict=True)
        for end in ends:
            if math.isnan(self._average[0]):
                self._average = end
            self._average = (
                MOMENTUM * self._average[0] + (1 - MOMENTUM) * end[0],
                MOMENTUM * self._average[1] + (1 - MOMENTUM) * end[1],
            )

    def _add_counts(self, batch: Batch) -> None:
        """The extremes are single values; those of the subsample stand for all the others.

        Without the extremes, clipping would be decided by the few outliers in the subsample, if
        any: with 1 value in 100 the MSE estimator lost 5 dB and more on some tensors.
        """
        import numpy as np

        low, high = float(batch.low.min()), float(batch.high.max())
        known = batch.low[0].size + batch.high[0].size
        counted = batch.values[0].size
        if counted >= batch.value_count or known >= batch.value_count:
            self._histogram.update(batch.values, low, high, batch.value_count / counted)
            return
        self._histogram.update(batch.values, low, high, (batch.value_count - known) / counted)
        self._histogram.update(np.concatenate([batch.low, batch.high]), low, high)

    def _add_sums(self, values: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
        import numpy as np

        total = sums.sum(axis=0, dtype=np.float64)
        if max(-float(self._low.min()), float(self._high.max())) > _LARGE:
            values = values.astype(np.float64)
        # Not numpy.dot: OpenBLAS would start threads beside ONNX Runtime's.
        squares = np.einsum("scv,scv->sc", values, values).sum(axis=0, dtype=np.float64)
        is_first = self._sums is None
        self._sums = total if self._sums is None else self._sums + total
        self._squares = squares if is_first else self._squares + squares
        self._value_count += values.size
        self._channel_value_count += values.shape[0] * values.shape[2]

"""Sums of squares, told from few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.calibration.observers import Histogram

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def shared_among_neighbours(sums: NDArray[np.float64], histogram: Histogram) -> NDArray[np.float64]:
    """Half of each bin's sum as it is, half as values about as rare have it; the total stays.

    Few values are far out, and of these few have a gradient: by chance a bin has much, or none. So
    the mean square of a value is also taken over those on its side of zero of which up to half or
    twice as many are as far out. Zeros, which many values are exactly, keep their own.

    Args:
        sums: In the bins of
        histogram: the tensor's values.
    """
    import numpy as np

    spread = np.zeros_like(sums)
    zero = min(max(-histogram.first, 0), len(sums))
    for side in (slice(zero + 1, None), slice(zero - 1, None, -1) if zero else slice(0, 0)):
        counts, own = histogram.counts[side], sums[side]
        if not counts.any():
            continue
        beyond = np.append(np.cumsum(counts[::-1])[::-1], 0.0)
        squares = np.append(np.cumsum(own[::-1])[::-1], 0.0)
        first = np.searchsorted(-beyond[:-1], -2 * beyond[:-1])
        last = np.searchsorted(-beyond[:-1], -beyond[:-1] / 2, side="right")
        last = np.minimum(np.maximum(last, first + 1), len(counts))
        number = beyond[first] - beyond[last]
        mean = (squares[first] - squares[last]) / np.where(number > 0, number, 1.0)
        spread[side] = np.where(number > 0, counts * mean, 0.0)
    told = float(spread.sum())
    if told == 0.0:
        return sums
    # Not all but the zeros': these may be so much more that nothing would be left.
    spread *= (float(sums[:zero].sum()) + float(sums[zero + 1 :].sum())) / told
    spread[zero : zero + 1] = sums[zero : zero + 1]
    return (sums + spread) / 2

"""From statistics to the real values a quantized tensor may take: one estimator per method.

All give asymmetric ranges that include zero, for which `scale = (max - min) / (2**bits - 1)` and
zero is one of the levels. The pass over the samples is the same for all, see `statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mobileq.calibration.observers import Histogram, TensorStatistics
from mobileq.calibration.purposes import Purpose
from mobileq.calibration.quantization_error import ErrorModel
from mobileq.calibration.statistics import Statistics
from mobileq.errors import UsageError
from mobileq.spec import TensorRange, TensorRanges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Method = Literal["min_max", "moving_average", "percentile", "mse", "entropy", "admm", "fisher"]
Estimator = Callable[[TensorStatistics, int], tuple[float, float]]

PERCENTILE = 99.99
_FINE_STEPS = 9
_FRACTIONS = 40
_SMALLEST_FRACTION = 1 / 256
_ENTROPY_CANDIDATES = 128
_ADMM_ROUNDS = 30
_NARROWEST = 2.0**-100
_WIDEST = 3.0e38


def min_max(tensor: TensorStatistics, bits: int = 8) -> tuple[float, float]:
    """All values that were seen.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 3.1.
    """
    return tensor.min, tensor.max


def moving_average(tensor: TensorStatistics, bits: int = 8) -> tuple[float, float]:
    """The samples' own minimum and maximum, averaged as they came with a momentum of 0.9.

    Source: Jacob et al. 2018, section 3.1 (exponential moving averages of the ranges). The
    result depends on the order of the samples.
    """
    return tensor.average_min, tensor.average_max


def percentile(
    tensor: TensorStatistics, bits: int = 8, percent: float = PERCENTILE
) -> tuple[float, float]:
    """The middle 99.99 % of the values: half of the rest is cut off at either end.

    Source: Wu et al. 2020, "Integer Quantization for Deep Learning Inference: Principles and
    Empirical Evaluation", section 5.2; ONNX Runtime's percentile calibrator cuts both ends alike.
    """
    import numpy as np

    histogram = tensor.histogram
    cumulated = np.concatenate([[0.0], np.cumsum(histogram.counts)])
    bins = np.arange(histogram.first, histogram.first + len(cumulated), dtype=np.float64)
    edges = bins * histogram.width
    cut = (1 - percent / 100) / 2 * cumulated[-1]
    # The lowest edge above which all lies, and so on: an empty stretch is no part of the range.
    last = int(np.searchsorted(cumulated, cut, side="right")) - 1
    low = _between(cut, cumulated[last : last + 2], edges[last : last + 2])
    upper = cumulated[-1] - cut
    first = int(np.searchsorted(cumulated, upper, side="left"))
    high = _between(upper, cumulated[first - 1 : first + 1], edges[first - 1 : first + 1])
    return max(low, tensor.min), min(high, tensor.max)


def mse(
    tensor: TensorStatistics, bits: int = 8, purpose: Purpose | None = None
) -> tuple[float, float]:
    """The range with the smallest expected squared error of rounding and clipping.

    Where the values are for one function only, the error is that of its result.

    Minimum and maximum are multiplied by fractions from a geometric grid between 1/256 and 1, in
    turn until neither gets better, then from a finer grid around the best.

    Source: Sung et al. 2015, "Resiliency of Deep Neural Networks under Quantization", and Nagel et
    al. 2021, "A White Paper on Neural Network Quantization", section 3.1 (MSE range setting);
    with two ends as in OpenVINO's and PyTorch's HistogramObserver.
    """
    import numpy as np

    low, high = _with_zero(tensor.min, tensor.max)
    if low == high:
        return low, high
    model = ErrorModel(tensor, bits, purpose.function if purpose else None)
    grid = np.geomspace(1.0, _SMALLEST_FRACTION, _FRACTIONS)
    ratio = grid[1] / grid[0]
    fine = ratio ** np.linspace(-1.0, 1.0, _FINE_STEPS)
    best = np.array([1.0, 1.0])
    least = float(model.errors(np.array([low]), np.array([high]))[0])
    known: set[tuple[int, float]] = set()
    for fractions, relative in ((grid, False), (grid, False), (fine, True), (fine**0.25, True)):
        for end in (1, 0):
            given = end, float(best[1 - end])
            if (low, high)[end] == 0 or (not relative and given in known):
                continue
            known.add(given)  # the same again would give the same
            tried = np.repeat(best[None], len(fractions), axis=0)
            tried[:, end] = np.minimum(1.0, best[end] * fractions if relative else fractions)
            errors = model.errors(low * tried[:, 0], high * tried[:, 1])
            index = int(np.argmin(errors))
            if errors[index] < least:
                least, best = float(errors[index]), tried[index]
    return low * float(best[0]), high * float(best[1])


def fisher(
    tensor: TensorStatistics, bits: int = 8, purpose: Purpose | None = None
) -> tuple[float, float]:
    """As `mse`, with each value's error weighted by the square of the task's gradient there, the
    diagonal of the Fisher information: what it adds to the error of the model's answers.

    As `mse` where the tensor has no `importance`.

    Source: Li et al. 2021, "BRECQ: Pushing the Limit of Post-Training Quantization by Block
    Reconstruction", section 3.3, weights errors so to fit weights; here they choose ranges.
    """
    if tensor.importance is None:
        return mse(tensor, bits, purpose)
    return mse(replace(tensor, histogram=tensor.importance), bits, purpose)


def entropy(tensor: TensorStatistics, bits: int = 8) -> tuple[float, float]:
    """The range whose quantized distribution diverges least from the true one (Kullback-Leibler).

    The values inside a candidate range are merged into one bin per level (128 for the absolute
    values in the source; all `2**bits` of an asymmetric range here); what lies outside is counted
    in the outermost bins. First the maximum is chosen, then the minimum.

    Source: Migacz 2017, "8-bit Inference with TensorRT" (2048 bins); MNN's KL method is the same.
    """
    import numpy as np

    low, high = _with_zero(tensor.min, tensor.max)
    first, count = tensor.histogram.first, len(tensor.histogram.counts)
    level_count = min(2**bits, count)
    divergence = _Divergence(tensor.histogram, level_count)
    start, stop = 0, count
    if high > 0:
        stops = np.unique(np.linspace(max(1, 1 - first), count, _ENTROPY_CANDIDATES).astype(int))
        stops = stops[stops >= level_count]
        stop = int(stops[np.argmin(divergence(np.zeros_like(stops), stops))])
    if low < 0:
        starts = np.unique(np.linspace(0, min(-first, count - 1), _ENTROPY_CANDIDATES).astype(int))
        starts = starts[starts <= stop - level_count]
        start = int(starts[np.argmin(divergence(starts, np.full_like(starts, stop)))])
    width = tensor.histogram.width
    return max(low, (first + start) * width), min(high, (first + stop) * width)


def admm(tensor: TensorStatistics, bits: int = 8) -> tuple[float, float]:
    """Integers and scale in turn, each the best for the other, from the range of all values.

    The zero point may move by one level where that lowers the error. The result is the nearest
    local optimum, so long tails stay.

    Source: Leng et al. 2018, "Extremely Low Bit Neural Network: Squeeze the Last Bit Out with
    ADMM", whose projection step alternates so; MNN's ADMM method does it for activations. Here it
    is applied to the histogram.
    """
    low, high = _with_zero(tensor.min, tensor.max)
    model = ErrorModel(tensor, bits)
    scale, zero_point = model.grid(low, high)
    best, least = (low, high), float(model.error(scale, zero_point))
    for _ in range(_ADMM_ROUNDS):
        scale = model.best_scale(scale, zero_point)
        near = [z for z in (zero_point - 1, zero_point, zero_point + 1) if 0 <= z <= model.top]
        if low == 0 or high == 0:
            near = [zero_point]
        errors = [float(model.error(scale, each)) for each in near]
        error = min(errors)
        zero_point = near[errors.index(error)]
        if not error < least * (1 - 1e-6):
            break
        least = error
        best = -zero_point * scale, (model.top - zero_point) * scale
    return best


METHODS: dict[Method, Estimator] = {
    "min_max": min_max,
    "moving_average": moving_average,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
    "admm": admm,
    "fisher": fisher,
}
_OF_RESULTS: dict[Method, Callable[[TensorStatistics, int, Purpose], tuple[float, float]]] = {
    "mse": mse,
    "fisher": fisher,
}
"""Those that count the errors of what a tensor is for."""


def estimate(
    statistics: Statistics,
    method: Method,
    bits: int = 8,
    purposes: Mapping[str, Purpose] | None = None,
) -> TensorRanges:
    """{tensor name: range} by one of `METHODS`.

    With `purposes`, ends of a range are cut off where the function that a tensor is for is flat.

    Each range includes zero, and min < max: a tensor that is always zero gets [0, 1].

    Raises:
        UsageError: There is no such method.
    """
    if method not in METHODS:
        raise UsageError(
            f"There is no calibrator '{method}'.", f"Take one of {', '.join(METHODS)}."
        )
    known = purposes or {}
    return {
        name: tensor_range(*_estimated(tensor, method, bits, known.get(name)))
        for name, tensor in statistics.tensors.items()
    }


def _estimated(
    tensor: TensorStatistics, method: Method, bits: int, purpose: Purpose | None
) -> tuple[float, float]:
    if purpose is None:
        return METHODS[method](tensor, bits)
    if purpose.keep_extremes:
        return purpose.sensible(*_with_zero(tensor.min, tensor.max))
    if method in _OF_RESULTS:
        found = _OF_RESULTS[method](tensor, bits, purpose)
    else:
        found = METHODS[method](tensor, bits)
    return purpose.sensible(*_with_zero(*found))


def quantization_noise(
    statistics: Statistics, ranges: TensorRanges, bits: int = 8
) -> dict[str, float]:
    """{tensor name: expected SQNR in dB} of the tensors that have both statistics and a range.

    It is of quantizing the tensor alone, from its histogram; infinite where it is always zero.
    """
    noise = {}
    for name, chosen in ranges.items():
        if name not in statistics.tensors:
            continue
        tensor = statistics.tensors[name]
        model = ErrorModel(tensor, bits)
        error = float(model.error(*model.grid(chosen.min, chosen.max)))
        silent = tensor.min == tensor.max == 0
        noise[name] = math.inf if silent else 10 * math.log10(model.power / error)
    return noise


def tensor_range(low: float, high: float) -> TensorRange:
    """The range, widened to zero, with min < max."""
    low, high = _with_zero(low, high)
    if high - low < _NARROWEST:  # the scale would be no normal float32
        return TensorRange(min=0.0, max=1.0)
    return TensorRange(min=max(low, -_WIDEST), max=min(high, _WIDEST))


def _with_zero(low: float, high: float) -> tuple[float, float]:
    return min(low, 0.0), max(high, 0.0)


def _between(count: float, counts: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """Where in a bin the cumulated count is reached, its values being spread evenly."""
    share = (count - counts[0]) / (counts[1] - counts[0])
    return float(edges[0] + share * (edges[1] - edges[0]))


class _Divergence:
    """Kullback-Leibler divergence of a clipped and merged histogram from the whole one.

    With sums up to each bin, a candidate costs as many steps as there are levels, not bins.
    """

    def __init__(self, histogram: Histogram, level_count: int) -> None:
        import numpy as np

        counts = histogram.counts / histogram.counts.sum()
        self._counts = counts
        self._level_count = level_count
        self._mass = np.concatenate([[0.0], np.cumsum(counts)])
        self._filled = np.concatenate([[0], np.cumsum(counts > 0)])
        self._information = np.concatenate([[0.0], np.cumsum(_times_log(counts))])

    def __call__(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each candidate: the bins from start up to stop are kept."""
        import numpy as np

        below, above = self._mass[start], 1 - self._mass[stop]
        first, last = self._counts[start], self._counts[stop - 1]
        # The sum of p log p, with the outermost bins holding what is cut off as well.
        own = self._information[stop] - self._information[start]
        own += _times_log(first + below) - _times_log(first)
        own += _times_log(last + above) - _times_log(last)
        share = np.linspace(0.0, 1.0, self._level_count + 1)
        edges = (start[:, None] + np.round((stop - start)[:, None] * share)).astype(np.int64)
        mass = np.diff(self._mass[edges], axis=1)
        filled = np.diff(self._filled[edges], axis=1)
        # What is merged is spread evenly over the bins that were not empty.
        level = np.maximum(mass, _LEAST_MASS) / np.maximum(filled, 1)
        clipped = mass.copy()
        clipped[:, 0] += below
        clipped[:, -1] += above
        kept = self._mass[stop] - self._mass[start]
        cross = (clipped * np.log(level)).sum(axis=1) - np.log(np.maximum(kept, _LEAST_MASS))
        result: NDArray[np.float64] = own - cross
        return result


_LEAST_MASS = 1e-12


def _times_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """x log x, 0 where x is 0."""
    import numpy as np

    result: NDArray[np.float64] = values * np.log(np.where(values > 0, values, 1.0))
    return result

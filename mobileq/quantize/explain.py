"""Why quantizing an op costs what it does, in words, from what calibration measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mobileq.quantize.groups import OpGroup
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mobileq.calibration.observers import Histogram, TensorStatistics

_WIDE_CHANNELS = 4.0
"""Ratio of the widest channel to the middle one from which few levels are left for the others."""
_FAR = 2.0
"""Times that the range is as wide as what 99.9 % of the values need, to call its end empty."""
_INNER = 0.999
_WIDER = 2.0
"""Times that a range inside the group is as wide as the group's own, to be worth a word."""
_CLIPPED = 0.5
"""Parts of the range's width that the largest values lie beyond it, to be worth a word."""
_ROUNDED_WEIGHTS = 0.03
"""Rounding error of a channel's weights, in parts of their size, that is worth a word."""
_LEVELS = 256

Ranges = Mapping[str, TensorRange]
Tensors = Mapping[str, "TensorStatistics"]


def reason(group: OpGroup, ranges: Ranges, tensors: Tensors, weights: float | None) -> str:
    """What there is to see: of the tensor it gives, of those inside it, its weights.

    Args:
        tensors: Statistics of the calibration; may lack any.
        weights: From `weight_error`.
    """
    own = ranges[group.name]
    found = [_interval(own.min, own.max), *_of_tensor(own, tensors.get(group.name))]
    for name in group.tensors[:1]:
        inner = ranges[name]
        if name != group.name and _width(inner) >= _WIDER * _width(own):
            found.append(f"before the activation {_interval(inner.min, inner.max)}")
    if weights is not None and weights >= _ROUNDED_WEIGHTS:
        found.append(f"rounding moves the weights of its worst channel by {weights:.0%}")
    return "; ".join(found)


def channel_spread(statistics: TensorStatistics | None) -> float | None:
    """How many times wider a tensor's widest channel is than its middle one."""
    import numpy as np

    if statistics is None or statistics.channels is None:
        return None
    widths = statistics.channels.max - statistics.channels.min
    middle = float(np.median(widths))
    return float(widths.max()) / middle if middle > 0.0 else None


def weight_error(values: npt.NDArray[np.float32], axis: int) -> float:
    """Expected rounding error of the worst output channel's weights, over their size.

    Root mean squares, of 8 bits with one scale per channel; an ordinary channel has 0.01.
    """
    import numpy as np

    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).astype(np.float64)
    step = np.abs(rows).max(axis=1) / 127.0
    size = np.sqrt(np.square(rows).mean(axis=1))
    used = size > 0.0
    return float((step[used] / np.sqrt(12.0) / size[used]).max(initial=0.0))


def _of_tensor(own: TensorRange, statistics: TensorStatistics | None) -> list[str]:
    if statistics is None:
        return []
    found: list[str] = []
    spread = channel_spread(statistics)
    if spread is not None and spread >= _WIDE_CHANNELS:
        levels = max(1, round(_LEVELS / spread))
        found.append(
            f"widest channel {spread:.0f} times the middle one, "
            f"which has {levels} {'level' if levels == 1 else 'levels'} left"
        )
    low, high = _inner(statistics.histogram)
    if _width(own) >= _FAR * (high - low) > 0.0:
        found.append(f"{_INNER:.1%} of the values lie in {_interval(low, high)}")
    beyond = _CLIPPED * _width(own)
    if statistics.max > own.max + beyond:
        found.append(f"clips values up to {statistics.max:.3g}")
    if statistics.min < own.min - beyond:
        found.append(f"clips values down to {statistics.min:.3g}")
    return found


def _inner(histogram: Histogram) -> tuple[float, float]:
    """Between which values, zero included, all but the outermost 0.1 % lie."""
    import numpy as np

    part: Any = np.cumsum(histogram.counts)
    outside = (1.0 - _INNER) / 2.0 * part[-1]
    first = int(np.searchsorted(part, outside, side="right"))
    last = int(np.searchsorted(part, part[-1] - outside))
    edges = histogram.first + first, histogram.first + last + 1
    return min(edges[0] * histogram.width, 0.0), max(edges[1] * histogram.width, 0.0)


def _width(found: TensorRange) -> float:
    return found.max - found.min


def _interval(low: float, high: float) -> str:
    return f"{low:.3g} .. {high:.3g}"

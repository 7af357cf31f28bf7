"""What quantizing each op alone costs at the outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobileq.progress import Progress, tracked
from mobileq.quantize.distance import Distance, noise
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.simulate import Simulator
from mobileq.quantize.suffixes import Prefixes, suffixes
from mobileq.spec import Spec, TensorRange

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto

    from mobileq.calibration.statistics import Statistics

    Feeds = Mapping[str, npt.NDArray[Any]]
    Outputs = Mapping[str, npt.NDArray[Any]]

SUFFIX_COUNT = 10
_SILENT_DB = 200.0
"""Stands for no error at all."""
_WIDE_CHANNELS = 8.0
"""Ratio of the widest channel to the middle one from which few levels are left for the others."""


class GroupSensitivity(Spec, frozen=True, kw_only=True):
    """One group, quantized alone.

    Attributes:
        name: The tensor that it gives.
        error: At the outputs, see `quantize.distance`; it adds up over groups as long as it is
            small.
        share: Of the summed error of all groups.
        sqnr_db: Signal to quantization noise ratio of the outputs, their noise shares averaged.
        weight_count: Constant weights.
        low, high: The range its output is quantized with, and
        channel_spread: how many times wider its widest channel is than its middle one; None where
            channels were not looked at.
    """

    name: str
    kind: str
    op_type: str
    error: float
    share: float
    sqnr_db: float
    weight_count: int = 0
    low: float = 0.0
    high: float = 0.0
    channel_spread: float | None = None

    @property
    def why(self) -> str:
        """What it looks like, in a few words."""
        found = f"{self.low:.3g} .. {self.high:.3g}"
        if self.channel_spread is not None and self.channel_spread >= _WIDE_CHANNELS:
            levels = max(1, round(256 / self.channel_spread))
            found += (
                f"; its widest channel is {self.channel_spread:.0f} times the middle one, "
                f"which has {levels} levels left"
            )
        return found


def rank_groups(
    model: ModelProto,
    groups: Sequence[OpGroup],
    ranges: Mapping[str, TensorRange],
    samples: Sequence[Feeds],
    distance: Distance,
    progress: Progress,
    statistics: Statistics | None = None,
) -> tuple[GroupSensitivity, ...]:
    """All groups that have ranges, the most sensitive first.

    Args:
        model: The prepared float model.
        groups: From `find_groups`.
        ranges: That would be used.
        samples: A few inputs; 2 are enough to find the groups that matter.
        distance: From `output_distance`.
        statistics: Of the calibration, to say why.
    """
    parts = suffixes(model, groups, SUFFIX_COUNT)
    prefixes = Prefixes(model, parts)
    runs = [prefixes.run(feeds) for feeds in samples]
    found: list[tuple[OpGroup, float, float]] = []
    total = sum(len(part.groups) for part in parts)
    each = ((at, part, group) for at, part in enumerate(parts) for group in part.groups)
    simulator, opened = None, -1
    for at, part, group in tracked(each, progress, "Sensitivity", total):
        if opened != at:
            simulator, opened = Simulator(part.model, part.groups, ranges), at
        assert simulator is not None
        if group not in simulator.groups:
            continue
        errors, noises = [], []
        for reference, taken in runs:
            outputs = {**reference, **simulator.run(taken[at], (group.name,))}
            errors.append(distance(reference, outputs))
            noises.append(noise(reference, outputs))
        found.append((group, _mean(errors), _mean(noises)))
    whole = math.fsum(error for _, error, _ in found) or 1.0
    ranked = [
        GroupSensitivity(
            name=group.name,
            kind=group.kind,
            op_type=group.op_type,
            error=error,
            share=error / whole,
            sqnr_db=decibels(noisy),
            weight_count=group.weight_count,
            low=ranges[group.name].min,
            high=ranges[group.name].max,
            channel_spread=_channel_spread(statistics, group.name),
        )
        for group, error, noisy in found
    ]
    return tuple(sorted(ranked, key=lambda group: (-group.error, group.name)))


def decibels(share: float) -> float:
    """SQNR of a noise share of the signal's power, at most 200 dB."""
    return min(_SILENT_DB, -10.0 * math.log10(share)) if share > 0.0 else _SILENT_DB


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _channel_spread(statistics: Statistics | None, name: str) -> float | None:
    import numpy as np

    tensor = statistics.tensors.get(name) if statistics else None
    if tensor is None or tensor.channels is None:
        return None
    widths = tensor.channels.max - tensor.channels.min
    middle = float(np.median(widths))
    return float(widths.max()) / middle if middle > 0.0 else None

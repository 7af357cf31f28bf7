"""What quantizing each op alone costs at the outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobileq.progress import Progress, tracked
from mobileq.quantize.simulate import Simulator
from mobileq.spec import Spec

if TYPE_CHECKING:
    import numpy.typing as npt

    Feeds = Mapping[str, npt.NDArray[Any]]
    Outputs = Mapping[str, npt.NDArray[Any]]


class GroupSensitivity(Spec, frozen=True, kw_only=True):
    """One group, quantized alone.

    `sqnr_db` is the lowest of the outputs' signal to quantization noise ratios; `noise` the same as
    a share of the signal's power, 10^(-sqnr/10), which adds up over groups as long as it is small.
    """

    name: str
    kind: str
    op_type: str
    sqnr_db: float
    weight_count: int = 0

    @property
    def noise(self) -> float:
        """Noise power over signal power."""
        return float(10.0 ** (-self.sqnr_db / 10.0))


_SILENT_DB = 200.0
"""Stands for no error at all."""


def rank_groups(
    simulator: Simulator, samples: Sequence[Feeds], progress: Progress
) -> tuple[GroupSensitivity, ...]:
    """All groups, the most sensitive first.

    Args:
        simulator: With ranges that would be used.
        samples: A few inputs; 4 are enough to find the groups that matter.
    """
    reference = [simulator.run(feeds, ()) for feeds in samples]
    found = []
    for group in tracked(simulator.groups, progress, "Sensitivity", len(simulator.groups)):
        outputs = [simulator.run(feeds, (group.name,)) for feeds in samples]
        found.append(
            GroupSensitivity(
                name=group.name,
                kind=group.kind,
                op_type=group.op_type,
                sqnr_db=output_sqnr(reference, outputs),
                weight_count=group.weight_count,
            )
        )
    return tuple(sorted(found, key=lambda each: (each.sqnr_db, each.name)))


def output_sqnr(reference: Sequence[Outputs], outputs: Sequence[Outputs]) -> float:
    """Lowest SQNR of the outputs over all samples, dB, at most 200."""
    import numpy as np

    worst = _SILENT_DB
    for name in reference[0]:
        signal = noise = 0.0
        for wanted, found in zip(reference, outputs, strict=True):
            exact = wanted[name].astype(np.float64)
            signal += float((exact**2).sum())
            noise += float(((found[name] - exact) ** 2).sum())
        if noise > 0.0 and signal > 0.0:
            worst = min(worst, 10.0 * math.log10(signal / noise))
    return worst


def keep_float(
    ranked: Sequence[GroupSensitivity], remaining: float = 0.1, most: float = 0.15
) -> tuple[str, ...]:
    """The fewest groups, most sensitive first, without which little noise is left.

    A group must make more of the noise than of the file: float weights take four times the space.
    A model whose noise comes from everywhere (each op a little) gains nothing from a few float
    ops, so where `most` of the groups do not bring the noise down to `remaining`, those that
    stand out are kept all the same, but no more.

    Args:
        ranked: From `rank_groups`.
        remaining: Share of the summed noise that may stay.
        most: Share of the groups that may be float.
    """
    total = sum(group.noise for group in ranked)
    weights = sum(group.weight_count for group in ranked)
    left, kept = total, []
    for group in ranked[: math.ceil(most * len(ranked))]:
        if left <= remaining * total:
            break
        if group.noise * weights < group.weight_count * total:
            continue
        kept.append(group.name)
        left -= group.noise
    return tuple(kept)

"""How far outputs are from those of the float model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobileq.spec import ModelSpec
from mobileq.tasks.base import task_of

SILENT_DB = 200.0


def output_sqnr(
    reference: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]
) -> float:
    """Of the worst output over all samples, dB; worked out without the library."""
    worst = SILENT_DB
    for name in reference[0]:
        signal = noise = 0.0
        for wanted, found in zip(reference, outputs, strict=True):
            exact = wanted[name].astype("float64")
            signal += float((exact**2).sum())
            noise += float(((found[name] - exact) ** 2).sum())
        if noise > 0.0 and signal > 0.0:
            worst = min(worst, 10.0 * math.log10(signal / noise))
    return worst


def output_distance(spec: ModelSpec) -> Callable[[Mapping[str, Any], Mapping[str, Any]], float]:
    """(reference, found) of one sample -> error."""
    task = task_of(spec)
    return lambda reference, found: task.reference(reference).compare(found).error

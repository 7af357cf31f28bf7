"""What quantizing each op alone costs at the outputs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.quantize.distance import Compared, Reference
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.reasons import channel_spread, reason, weight_error
from mobileq.quantize.simulate import Simulator, weight_axis
from mobileq.quantize.suffixes import Prefixes, suffixes
from mobileq.spec import ModelSpec, Spec, TensorRange

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto

    from mobileq.calibration.statistics import Statistics
    from mobileq.vision.detections import Detections

    Feeds = Mapping[str, npt.NDArray[Any]]
    Outputs = Mapping[str, npt.NDArray[Any]]
    Agreement = Callable[[Sequence[Detections], Sequence[Detections]], float]

SUFFIX_COUNT = 10
_SILENT_DB = 200.0
"""Stands for no error at all."""


class GroupSensitivity(Spec, frozen=True, kw_only=True):
    """One group, quantized alone.

    Attributes:
        name: The tensor that it gives.
        error: At the outputs, see `quantize.distance`; it adds up over groups as long as it is
            small.
        share: Of the summed error of all groups.
        sqnr_db: Signal to quantization noise ratio of the outputs, their noise shares averaged.
        agreement: mAP50-95 of the detections, the float model's own taken for the truth; None
            where it was not asked for or nothing can be decoded.
        weight_count: Constant weights.
        low, high: The range its output is quantized with, and
        channel_spread: how many times wider its widest channel is than its middle one; None where
            channels were not looked at.
        why: What it looks like, in a few words.
    """

    name: str
    kind: str
    op_type: str
    error: float
    share: float
    sqnr_db: float
    agreement: float | None = None
    weight_count: int = 0
    low: float = 0.0
    high: float = 0.0
    channel_spread: float | None = None
    why: str = ""


@dataclass(frozen=True)
class _Task:
    """One group, and what runs the part of the model that it begins."""

    group: OpGroup
    part: int
    simulator: Simulator


def rank_groups(
    model: ModelProto,
    groups: Sequence[OpGroup],
    ranges: Mapping[str, TensorRange],
    samples: Sequence[Feeds],
    spec: ModelSpec,
    progress: Progress,
    statistics: Statistics | None = None,
    agreement: Agreement | None = None,
) -> tuple[GroupSensitivity, ...]:
    """All groups that have ranges, the most sensitive first.

    Args:
        model: The prepared float model.
        groups: From `find_groups`.
        ranges: That would be used.
        samples: A few inputs; 2 are enough to find the groups that matter.
        spec: Of the model.
        statistics: Of the calibration, to say why.
        agreement: (float model's detections, others) -> how well they agree; it is asked in the
            thread of the caller.
    """
    parts = suffixes(model, groups, SUFFIX_COUNT)
    prefixes = Prefixes(model, parts)
    runs = []
    for feeds in samples:
        outputs, taken = prefixes.run(feeds)
        runs.append((outputs, taken, Reference(spec, outputs, detect=agreement is not None)))

    def tasks() -> Iterator[_Task]:
        for at, part in enumerate(parts):
            # One thread each: groups are worked on side by side.
            simulator = Simulator(part.model, part.groups, ranges, threads=1)
            for group in simulator.groups:
                yield _Task(group, at, simulator)

    def work(task: _Task) -> list[Compared]:
        compared = []
        for outputs, taken, reference in runs:
            changed = task.simulator.run(taken[task.part], (task.group.name,))
            compared.append(reference.compare({**outputs, **changed}))
        return compared

    found: list[tuple[OpGroup, list[Compared], float | None]] = []
    done = in_parallel(work, tasks(), min(os.cpu_count() or 1, 4))
    for task, compared in tracked(done, progress, "Sensitivity", len(groups)):
        agreed = None
        detections = [each.detections for each in compared if each.detections is not None]
        if agreement is not None and detections:
            truth = [each.detections for _, _, each in runs if each.detections is not None]
            agreed = agreement(truth, detections)
        found.append((task.group, compared, agreed))
    return _ranked(model, ranges, statistics, found)


def _ranked(
    model: ModelProto,
    ranges: Mapping[str, TensorRange],
    statistics: Statistics | None,
    found: list[tuple[OpGroup, list[Compared], float | None]],
) -> tuple[GroupSensitivity, ...]:
    errors = [_mean([each.error for each in compared]) for _, compared, _ in found]
    whole = math.fsum(errors) or 1.0
    tensors = statistics.tensors if statistics else {}
    weights = _weight_errors(model, [group for group, _, _ in found])
    ranked = []
    for (group, compared, agreed), error in zip(found, errors, strict=True):
        # A group's nodes are those of its suffix, its names the whole model's.
        ranked.append(
            GroupSensitivity(
                name=group.name,
                kind=group.kind,
                op_type=group.op_type,
                error=error,
                share=error / whole,
                sqnr_db=decibels(_mean([each.noise for each in compared])),
                agreement=agreed,
                weight_count=group.weight_count,
                low=ranges[group.name].min,
                high=ranges[group.name].max,
                channel_spread=channel_spread(tensors.get(group.name)),
                why=reason(group, ranges, tensors, weights.get(group.name)),
            )
        )
    return tuple(sorted(ranked, key=lambda group: (-group.error, group.name)))


def decibels(share: float) -> float:
    """SQNR of a noise share of the signal's power, at most 200 dB."""
    return min(_SILENT_DB, -10.0 * math.log10(share)) if share > 0.0 else _SILENT_DB


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _weight_errors(model: ModelProto, groups: Sequence[OpGroup]) -> dict[str, float]:
    """{group name: rounding error of its worst channel's weights}"""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for group in groups:
        if group.weights is not None:
            values = numpy_helper.to_array(constants[group.weights])
            axis = weight_axis(group.op_type.split(" + ")[0], values.ndim)
            found[group.name] = weight_error(values, axis)
    return found

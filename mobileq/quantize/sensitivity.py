"""What quantizing each op, or one tensor, alone costs at the outputs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mobileq.graph.eight_bits import channel_axis
from mobileq.graph.frontier import cut_at, frontier
from mobileq.onnx_runtime import hold
from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.quantize.explain import channel_spread, reason, weight_error
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.partial_runs import Prefixes, suffixes, types_of
from mobileq.quantize.simulate import NO_SHIFTS, Shifts, Simulator, inside
from mobileq.spec import ModelSpec, Spec, TensorRange
from mobileq.tasks.base import COUNT, Answer, Compared, Outputs, Reference, task_of
from mobileq.tasks.noise import NoiseReference

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto

    from mobileq.calibration.statistics import Statistics

    Feeds = Mapping[str, npt.NDArray[Any]]

SUFFIX_COUNT = 10
_SILENT_DB = 200.0
"""Stands for no error at all."""


class GroupSensitivity(Spec, frozen=True, kw_only=True):
    """One group, quantized alone: its weights and what it computes, not what it takes.

    Attributes:
        name: The tensor that it gives.
        error: At the outputs, see `mobileq.tasks.base.Compared`; it adds up over groups as long as
            it is small.
        share: Of the summed error of all groups.
        sqnr_db: Signal to quantization noise ratio of the outputs, their noise shares averaged.
        agreement: Of answers with the float model's by the task's measure (mAP50-95 of boxes);
            None where it was not asked for, or the float model has no answer.
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
class _Job:
    """What is rounded for one group, and what runs the part of the model that it begins."""

    group: OpGroup
    rounded: tuple[str, ...]
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
    *,
    answers: bool = False,
) -> tuple[GroupSensitivity, ...]:
    """All groups that have ranges, the most sensitive first.

    Args:
        model: The prepared float model.
        groups: From `find_groups`.
        ranges: That would be used.
        samples: A few inputs; 2 are enough to find the groups that matter.
        spec: Of the model.
        statistics: Of the calibration, to say why.
        answers: Also look at how well what is said agrees.
    """
    task = task_of(spec)
    reference = partial(task.reference, answers=answers)
    alone = _Alone(model, groups, ranges, samples, reference)
    found: list[tuple[OpGroup, list[Compared], float | None]] = []
    for job, compared in tracked(
        alone.judged(lambda names: (names,), lambda wanted, found: wanted.compare(found)),
        progress,
        "Sensitivity",
        len(groups),
    ):
        agreed = None
        given = [each.answer for each in compared if each.answer is not None]
        if task.measure is not None and given:
            figures = task.agreement(alone.answers, given).figures
            agreed = task.measure.value(figures) if figures[COUNT] else None
        found.append((job.group, compared, agreed))
    return _ranked(model, ranges, statistics, found)


def each_part(
    model: ModelProto,
    groups: Sequence[OpGroup],
    ranges: Mapping[str, TensorRange],
    samples: Sequence[Feeds],
    spec: ModelSpec,
    shifts: Shifts = NO_SHIFTS,
    known: Collection[str] = (),
) -> Generator[tuple[str, float], None, None]:
    """Tensors, and insides of groups, with the error at the outputs where nothing else is rounded;
    but those that are known.

    The tensors are those that pass between groups; see `simulate` for both, `rank_groups` for
    the arguments, and `compared_part` for the outputs.
    """
    part, reference = compared_part(model, spec)
    if part is not model:
        wanted = {group.name for group in groups}
        groups = [group for group in find_groups(part) if group.name in wanted]
    alone = _Alone(part, groups, ranges, samples, reference, shifts)
    done = alone.judged(
        lambda names: tuple((name,) for name in names if name not in known),
        lambda reference, found: reference.error(found),
    )
    for job, errors in done:
        yield job.rounded[0], _mean(errors)


def compared_part(
    model: ModelProto, spec: ModelSpec
) -> tuple[ModelProto, Callable[[Outputs], Reference]]:
    """The model whose outputs tell what a little noise costs, and to what they are held.

    Where the task has no error of its own, it ends with the last convolutions: what sorts and
    chooses in the graph turns a little noise into any amount.
    """
    task = task_of(spec)
    last = frontier(model) if task.error_of == "outputs" else ()
    return (cut_at(model, last), NoiseReference) if last else (model, task.reference)


class _Alone:
    """Runs the endings of a model with parts of one group rounded, and judges its outputs."""

    def __init__(
        self,
        model: ModelProto,
        groups: Sequence[OpGroup],
        ranges: Mapping[str, TensorRange],
        samples: Sequence[Feeds],
        reference: Callable[[Outputs], Reference],
        shifts: Shifts = NO_SHIFTS,
    ) -> None:
        self._ranges, self._shifts = ranges, shifts
        self._suffixes = suffixes(model, groups, SUFFIX_COUNT)
        self._types = types_of(model)
        self._inputs = {value.name for value in model.graph.input}
        prefixes = Prefixes(model, self._suffixes)
        self._runs = []
        for feeds in samples:
            outputs, taken = prefixes.run(feeds)
            held = hold({name: array for each in taken for name, array in each.items()})
            parts = [{name: held[name] for name in each} for each in taken]
            self._runs.append((outputs, parts, reference(outputs)))

    @property
    def answers(self) -> list[Answer]:
        """Of the float model."""
        return [each.answer for *_, each in self._runs if each.answer is not None]

    def judged[T](
        self,
        split: Callable[[tuple[str, ...]], tuple[tuple[str, ...], ...]],
        judge: Callable[[Reference, Outputs], T],
    ) -> Iterator[tuple[_Job, list[T]]]:
        """For each group, what rounding its own parts changes: one judgement for each sample.

        Args:
            split: (its own parts) -> those to be rounded together.
            judge: What is said of the outputs.
        """

        def work(job: _Job) -> list[T]:
            return [
                judge(reference, {**outputs, **job.simulator.run(taken[job.part], job.rounded)})
                for outputs, taken, reference in self._runs
            ]

        return in_parallel(work, self._tasks(split), min(os.cpu_count() or 1, 4))

    def _tasks(
        self, split: Callable[[tuple[str, ...]], tuple[tuple[str, ...], ...]]
    ) -> Iterator[_Job]:
        entered: set[str] = set()
        for at, part in enumerate(self._suffixes):
            # One thread each: groups are worked on side by side.
            made = part.model(self._types)
            simulator = Simulator(made, part.groups, self._ranges, 1, self._shifts)
            for group in simulator.groups:
                # What the model takes is rounded with the first that takes it.
                entries = self._inputs.intersection(simulator.touched[group.name]) - entered
                entered |= entries
                names = (*sorted(entries), inside(group.name), group.name)
                own = tuple(name for name in names if name in simulator.switches)
                for rounded in split(own):
                    yield _Job(group, rounded, at, simulator)


def _ranked(
    model: ModelProto,
    ranges: Mapping[str, TensorRange],
    statistics: Statistics | None,
    found: list[tuple[OpGroup, list[Compared], float | None]],
) -> tuple[GroupSensitivity, ...]:
    errors = [_mean([each.error for each in compared]) for _, compared, _ in found]
    whole = math.fsum(errors) or 1.0
    tensors = statistics.tensors if statistics else {}
    weights = weight_errors(model, [group for group, _, _ in found])
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


def weight_errors(model: ModelProto, groups: Sequence[OpGroup]) -> dict[str, float]:
    """{group name: rounding error of its worst channel's weights}"""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for group in groups:
        if group.weights is not None:
            values = numpy_helper.to_array(constants[group.weights])
            axis = channel_axis(model.graph.node[group.nodes[0]], values.ndim)
            found[group.name] = weight_error(values, axis)
    return found

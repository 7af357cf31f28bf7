"""Hold a converted file against ONNX Runtime on real samples, before anyone calls it done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from mobileq.evaluate.floors import below_floor
from mobileq.evaluate.numeric import (
    OutputComparer,
    OutputComparison,
    RoleComparison,
    disagreement,
    value_range,
)
from mobileq.evaluate.ranked import aligned
from mobileq.evaluate.runs import run_each
from mobileq.graph.outputs import SIGMOID_ERROR
from mobileq.progress import Progress, tracked
from mobileq.spec import ModelSpec, Spec
from mobileq.targets.base import Runner, Tensors
from mobileq.targets.info import FLOAT32, PrecisionInfo, Tolerance
from mobileq.tasks.base import Answer, Figures, task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample

_EXCUSED_ROWS, _EXCUSED_ROWS_ROUGH = 0.01, 0.1
"""Parts of ranked rows that may lack a counterpart, in float32 and elsewhere: which of two close
scores is the last that a graph keeps is chance."""
_LEAST_SCORE = 0.05
"""Scores that stay below are noise themselves: nothing is found by them."""
_SETTLED = replace(FLOAT32, sqnr_db=80.0)
"""What a model keeps of its numbers with its sums in another order on a sample that tells right
files from wrong ones. Trained ones keep 100 dB and more, on saturated blocks of color too; of an
untrained YOLO12 these leave 39 to 63, and of its right files 23 to 63."""


class Verification(Spec, frozen=True, kw_only=True):
    """What the comparison gave. `problems` is empty where the file is within tolerance.

    Without a tolerance (the integer precisions) the problems are outputs of another shape, outputs
    that change from run to run, NaN or infinity in other places than the reference, and figures
    under the precision's floor.

    `outputs` are held against the tolerance; `roles` are the same numbers, told in short.
    `agreement` is the task's (see `mobileq.tasks.base.Task.agreement`); None without answers.
    `rounding` is what `disagreement` takes for each output, where it was asked for. `left_out` are
    probes on which the model is at odds with itself: no figure is of them.
    """

    reference: str
    interpreter: str
    sample_ids: tuple[str, ...]
    tolerance: Tolerance | None
    outputs: tuple[OutputComparison, ...]
    roles: tuple[RoleComparison, ...] = ()
    agreement: Figures | None = None
    problems: tuple[str, ...] = ()
    rounding: dict[str, float] = msgspec.field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def worst_sqnr_db(self) -> float | None:
        """The lowest SQNR of the roles; None where all are equal."""
        return min((o.sqnr_db for o in self._told if o.sqnr_db is not None), default=None)

    @property
    def worst_cosine(self) -> float:
        """The lowest cosine of the roles."""
        return min((each.cosine for each in self._told), default=1.0)

    @property
    def _told(self) -> Sequence[OutputComparison | RoleComparison]:
        # A report.json of an earlier mobileq has no roles.
        return [role for role in self.roles if not role.silent] or self.outputs


@dataclass(frozen=True)
class ReferenceSample:
    """One sample, what ONNX Runtime makes of it, and what that says: an answer for each of its
    pictures, or none. A probe is like no photo, and counts only where the model's own numbers do
    not depend on the order of its sums."""

    sample: Sample
    outputs: dict[str, NDArray[Any]]
    answers: tuple[Answer, ...]
    is_probe: bool = False


def run_reference(
    runner: Runner,
    spec: ModelSpec,
    samples: Iterable[Sample],
    progress: Progress,
    count: int | None = None,
) -> list[ReferenceSample]:
    """The reference's outputs and answers (as they are shown) for each of `count` samples."""
    task = task_of(spec)
    ran = run_each(runner, samples)
    return [
        ReferenceSample(sample, outputs, task.read(outputs, sample, "shown"))
        for sample, outputs in tracked(ran, progress, "Running the ONNX model", count)
    ]


def verify(
    runner: Runner,
    reference_name: str,
    reference: Sequence[ReferenceSample],
    spec: ModelSpec,
    precision: PrecisionInfo,
    progress: Progress,
    reopen: Callable[[], Runner] | None = None,
    other_order: Callable[[], Runner] | None = None,
    ranked: Mapping[str, int] | None = None,
    sigmoids: Collection[str] = (),
) -> Verification:
    """Run every reference sample and compare. Errors of the runner itself are raised.

    Args:
        reopen: Opens the same file in another process with another environment and heap, where the
            first sample is run once more: a file that reads memory which was never written gives
            the same numbers for as long as one process lives, and often in the next.
        precision: What the file's target says of it. Without a tolerance the file is held to the
            precision's floor.
        other_order: Opens the reference, with sums in another order. Run where an output is out of
            tolerance, to see whether the model itself is that uncertain. Probes on which it is are
            left out: neither `sample_ids` nor the figures hold them then.
        ranked: The axis of each output whose rows the graph has ranked.
        sigmoids: Outputs that are what a sigmoid gives.
    """
    tolerance, task = precision.tolerance, task_of(spec)
    comparison = _Comparison(spec, tolerance, reference, ranked or {}, sigmoids)
    found: list[Answer] = []
    problems = [] if reference else ["there was no sample to compare it on"]
    first: dict[str, NDArray[Any]] = {}
    with closing(run_each(runner, (wanted.sample for wanted in reference))) as ran:
        done = zip(reference, ran, strict=True)
        for wanted, (sample, outputs) in tracked(done, progress, "Verifying", len(reference)):
            first = first or outputs
            for name in (output.name for output in spec.outputs):
                if problem := _shape_problem(name, wanted.outputs[name], outputs[name]):
                    return _stopped(runner, reference_name, problem)
            comparison.update(wanted.outputs, outputs)
            found += task.read(outputs, sample, "shown")
    if reference and not repeats(runner, reopen, reference[0].sample.feeds, first):
        problems.append("the same input gives different outputs from one run to the next")
    answers = [answer for wanted in reference for answer in wanted.answers]
    agreed = task.agreement(answers, found).figures if answers else None
    rounding: dict[str, float] = {}
    if not problems:
        comparison, problems, rounding = comparison.judged(runner, other_order)
    compared, roles = comparison.results(), tuple(comparison.roles())
    sample_ids = comparison.sample_ids
    if not problems and tolerance is None:
        low = below_floor(precision.name, roles or compared, task.measure, agreed)
        problems = [low] if low else []
    return Verification(
        reference=reference_name,
        interpreter=runner.interpreter,
        sample_ids=sample_ids,
        tolerance=tolerance,
        outputs=compared,
        roles=roles,
        agreement=agreed,
        problems=tuple(problems),
        rounding=rounding,
        left_out=tuple(
            wanted.sample.id for wanted in reference if wanted.sample.id not in sample_ids
        ),
    )


class _Comparison:
    """All outputs of two models, over all samples."""

    def __init__(
        self,
        spec: ModelSpec,
        tolerance: Tolerance | None,
        reference: Sequence[ReferenceSample],
        ranked: Mapping[str, int],
        sigmoids: Collection[str] = (),
    ) -> None:
        self._sigmoids = sigmoids
        self._spec, self._task, self._tolerance = spec, task_of(spec), tolerance
        self._reference, self._ranked = reference, ranked
        self._excused = _EXCUSED_ROWS if tolerance and tolerance.atol else _EXCUSED_ROWS_ROUGH
        rtol = tolerance.rtol if tolerance and tolerance.rtol else 0.0
        self._comparers = {
            output.name: OutputComparer(
                output.name, rtol, value_range([each.outputs[output.name] for each in reference])
            )
            for output in spec.outputs
        }
        # Integer files clip where the function that follows is flat: there they are the same.
        self._squashed = self._task.squashed if tolerance is None else {}

    def update(self, wanted: Tensors, found: Tensors) -> None:
        """One sample's outputs, of the same shapes."""
        if self._ranked:
            scores = self._task.row_scores
            found = aligned(wanted, found, self._ranked, scores, self._excused)
        for name, comparer in self._comparers.items():
            if squash := self._squashed.get(name):
                comparer.update(squash(wanted[name]), squash(found[name]))
            else:
                comparer.update(wanted[name], found[name])

    def results(self) -> tuple[OutputComparison, ...]:
        """Of each output."""
        return tuple(comparer.result() for comparer in self._comparers.values())

    def roles(self) -> list[RoleComparison]:
        """Of outputs of one role together."""
        found = list(_roles(self._task.roles, self._comparers, self._squashed))
        quiet = [each.role for each in found if self._is_quiet(each)]
        if len(quiet) < len(found):  # or nothing would be told
            found = [
                structs.replace(each, silent=True) if each.role in quiet else each for each in found
            ]
        return found

    def _is_quiet(self, role: RoleComparison) -> bool:
        """Whether it is of scores that a sigmoid gives, and none says that there is something."""
        largest = (self._comparers[name].largest for name in role.outputs)
        return set(role.outputs) <= set(self._sigmoids) and max(largest) < _LEAST_SCORE

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Of the samples that it is over."""
        return tuple(wanted.sample.id for wanted in self._reference)

    def judged(
        self, runner: Runner, other_order: Callable[[], Runner] | None
    ) -> tuple[_Comparison, list[str], dict[str, float]]:
        """What counts of the comparison, its problems, and the model's own rounding.

        Where there are problems, probes are left out on which the model is at odds with itself.
        """
        problems, rounding = self.problems(other_order)
        if not problems or not rounding or other_order is None:
            return self, problems, rounding
        settled = self._settled(other_order)
        if not settled or len(settled) == len(self._reference):
            return self, problems, rounding
        rest = _Comparison(self._spec, self._tolerance, settled, self._ranked, self._sigmoids)
        for wanted in settled:
            rest.update(wanted.outputs, runner.run(wanted.sample.feeds))
        return rest, *rest.problems(other_order)

    def _settled(self, other_order: Callable[[], Runner]) -> Sequence[ReferenceSample]:
        """The samples without such probes; all where NaN is the problem, which no rounding is."""
        probes = any(wanted.is_probe for wanted in self._reference)
        if not probes or not all(each.finite for each in self.results()):
            return self._reference
        found = []
        with closing(other_order()) as runner:
            for wanted in self._reference:
                if wanted.is_probe:
                    own = _Comparison(self._spec, _SETTLED, [wanted], self._ranked, self._sigmoids)
                    own.update(wanted.outputs, runner.run(wanted.sample.feeds))
                    if own.problems(None)[0]:
                        continue
                found.append(wanted)
        return found

    def problems(
        self, other_order: Callable[[], Runner] | None
    ) -> tuple[list[str], dict[str, float]]:
        """Outputs out of tolerance, and the model's own rounding where it had to be looked at."""
        compared = self.results()
        found = [text for each in compared if (text := self._problem(each))]
        if not found or other_order is None or self._tolerance is None:
            return found, {}
        rounding = self._rounding(other_order)
        allowed = [self._problem(each, rounding[each.name]) for each in compared]
        return (
            [text for text in allowed if text],
            {name: each.largest_excess for name, each in rounding.items()},
        )

    def _problem(
        self, found: OutputComparison, rounding: OutputComparison | None = None
    ) -> str | None:
        # The integer precisions: measured, but numbers they must be.
        tolerance = self._tolerance or Tolerance()
        resolution = SIGMOID_ERROR if found.name in self._sigmoids else 0.0
        return disagreement(found, tolerance, rounding, resolution)

    def _rounding(self, other_order: Callable[[], Runner]) -> dict[str, OutputComparison]:
        """By output: the reference itself, with its sums in another order."""
        comparison = _Comparison(self._spec, FLOAT32, self._reference, self._ranked)
        with closing(other_order()) as runner:
            for wanted in self._reference:
                comparison.update(wanted.outputs, runner.run(wanted.sample.feeds))
        return {each.name: each for each in comparison.results()}


def _roles(
    known: Mapping[str, str], comparers: Mapping[str, OutputComparer], squashed: Collection[str]
) -> Iterator[RoleComparison]:
    """Outputs whose role is not known are alone in one that has their name."""
    members: dict[str, list[str]] = {}
    for name in comparers:
        members.setdefault(known.get(name, name), []).append(name)
    for role, names in members.items():
        pooled = OutputComparer(role)
        for name in names:
            pooled.add(comparers[name])
        found = pooled.result()
        yield RoleComparison(
            role=role,
            outputs=tuple(names),
            sqnr_db=found.sqnr_db,
            cosine=found.cosine,
            silent=set(names) <= set(squashed) and pooled.largest < _LEAST_SCORE,
        )


def _shape_problem(name: str, wanted: NDArray[Any], found: NDArray[Any]) -> str | None:
    if wanted.shape == found.shape:
        return None
    return (
        f"{name!r} comes out as {list(found.shape)} where the ONNX model gives {list(wanted.shape)}"
    )


def _stopped(runner: Runner, reference_name: str, problem: str) -> Verification:
    return Verification(
        reference=reference_name,
        interpreter=runner.interpreter,
        sample_ids=(),
        tolerance=None,
        outputs=(),
        problems=(problem,),
    )


def repeats(
    runner: Runner,
    reopen: Callable[[], Runner] | None,
    feeds: Tensors,
    wanted: Tensors,
) -> bool:
    """Whether `feeds` give `wanted` again: after the other samples, and in another process."""
    if not _same(wanted, runner.run(feeds)):
        return False
    if reopen is None:
        return True
    other = reopen()
    try:
        return _same(wanted, other.run(feeds))
    finally:
        other.close()


def _same(first: Tensors, second: Tensors) -> bool:
    import numpy as np

    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)

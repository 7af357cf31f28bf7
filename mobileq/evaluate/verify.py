"""Hold a converted file against ONNX Runtime on real samples, before anyone calls it done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.evaluate.coco import AgreementScores, agreement
from mobileq.evaluate.numeric import (
    TOLERANCES,
    OutputComparer,
    OutputComparison,
    RoleComparison,
    Tolerance,
    disagreement,
    tolerance_of,
)
from mobileq.progress import Progress, tracked
from mobileq.spec import ModelSpec, Precision, Spec
from mobileq.targets.base import Runner, Tensors
from mobileq.vision.decode.arrays import sigmoid
from mobileq.vision.decode.logits import logit_outputs
from mobileq.vision.nms import Thresholds
from mobileq.vision.postprocess import postprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.vision.detections import Detections

RANKED_KINDS = ("ssd", "end2end")
"""Heads that sort in the graph: two close scores may swap places, so rows can't be compared."""
_RANKED_AGREEMENT = 0.99
_FP16_AGREEMENT = 0.9
_LEAST_SCORE = 0.05
"""Scores that stay below are noise themselves: nothing is found by them."""


class Verification(Spec, frozen=True, kw_only=True):
    """What the comparison gave. `problems` is empty where the file is within tolerance.

    Without a tolerance (the integer precisions) the only problems are outputs of another shape,
    outputs that change from run to run, and NaN or infinity in other places than the reference.

    `outputs` are held against the tolerance; `roles` are the same numbers, told in short.
    `rounding` is what `disagreement` takes for each output, where it was asked for.
    """

    reference: str
    interpreter: str
    sample_ids: tuple[str, ...]
    tolerance: Tolerance | None
    outputs: tuple[OutputComparison, ...]
    roles: tuple[RoleComparison, ...] = ()
    agreement: AgreementScores | None = None
    problems: tuple[str, ...] = ()
    rounding: dict[str, float] = msgspec.field(default_factory=dict)

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
    """One sample and what ONNX Runtime makes of it: detections in each of its pictures, or in none
    where they can't be decoded."""

    sample: Sample
    outputs: dict[str, NDArray[Any]]
    detections: tuple[Detections, ...]


def run_reference(
    runner: Runner,
    spec: ModelSpec,
    samples: Iterable[Sample],
    progress: Progress,
    count: int | None = None,
) -> list[ReferenceSample]:
    """The reference's outputs and detections (at the display thresholds) for each of `count`
    samples."""
    done = []
    for sample in tracked(samples, progress, "Running the ONNX model", count):
        outputs = runner.run(sample.feeds)
        found = detections_of(spec, outputs, sample)
        done.append(ReferenceSample(sample, outputs, found))
    return done


def detections_of(
    spec: ModelSpec, outputs: dict[str, NDArray[Any]], sample: Sample
) -> tuple[Detections, ...]:
    """In each of the sample's pictures, at the display thresholds; in none where they can't be
    decoded."""
    if spec.decode is None:
        return ()
    thresholds = Thresholds.display(spec.decode)
    return tuple(
        postprocess(spec.decode, outputs, picture.transform, thresholds)
        for picture in sample.pictures
    )


def verify(
    runner: Runner,
    reference_name: str,
    reference: Sequence[ReferenceSample],
    spec: ModelSpec,
    precision: Precision,
    progress: Progress,
    reopen: Callable[[], Runner] | None = None,
    target: str = "tflite",
    other_order: Callable[[], Runner] | None = None,
) -> Verification:
    """Run every reference sample and compare. Errors of the runner itself are raised.

    Args:
        reopen: Opens the same file in another process with another environment and heap, where the
            first sample is run once more: a file that reads memory which was never written, or
            whose ops depend on where it lies, gives the same numbers for as long as one process
            lives, and often in the next.
        target: Whose file it is.
        other_order: Opens the reference, with sums in another order. Run where an output is out of
            tolerance, to see whether the model itself is that uncertain.
    """
    tolerance = tolerance_of(target, precision)
    rtol = tolerance.rtol if tolerance and tolerance.rtol else 0.0
    comparers = {output.name: OutputComparer(output.name, rtol) for output in spec.outputs}
    # Integer files clip logits where the sigmoid that follows is flat: there they are the same.
    squashed = logit_outputs(spec.decode) if tolerance is None else ()
    found: list[Detections] = []
    problems = [] if reference else ["there was no sample to compare it on"]
    first: dict[str, NDArray[Any]] = {}
    for wanted in tracked(reference, progress, "Verifying", len(reference)):
        outputs = runner.run(wanted.sample.feeds)
        first = first or outputs
        for name, comparer in comparers.items():
            problem = _shape_problem(name, wanted.outputs[name], outputs[name])
            if problem:
                return _stopped(runner, reference_name, problem)
            if name in squashed:
                comparer.update(sigmoid(wanted.outputs[name]), sigmoid(outputs[name]))
            else:
                comparer.update(wanted.outputs[name], outputs[name])
        found += detections_of(spec, outputs, wanted.sample)
    if reference and not repeats(runner, reopen, reference[0].sample.feeds, first):
        problems.append("the same input gives different outputs from one run to the next")
    compared = tuple(comparer.result() for comparer in comparers.values())
    scores = _agreement(reference, found)
    rounding: dict[str, float] = {}
    if not problems:
        problems = _out_of_tolerance(spec, precision, tolerance, compared, scores)
        if problems and other_order is not None and tolerance and tolerance.rounding:
            rounding = _rounding(other_order, reference)
            problems = _out_of_tolerance(spec, precision, tolerance, compared, scores, rounding)
    return Verification(
        reference=reference_name,
        interpreter=runner.interpreter,
        sample_ids=tuple(wanted.sample.id for wanted in reference),
        tolerance=tolerance,
        outputs=compared,
        roles=tuple(_roles(spec, comparers, squashed)),
        agreement=scores,
        problems=tuple(problems),
        rounding=rounding,
    )


def _rounding(
    other_order: Callable[[], Runner], reference: Sequence[ReferenceSample]
) -> dict[str, float]:
    """By output: how far the reference's own values are out of the strictest tolerance."""
    rtol = TOLERANCES["fp32"].rtol or 0.0
    comparers: dict[str, OutputComparer] = {}
    runner = other_order()
    try:
        for wanted in reference:
            for name, output in runner.run(wanted.sample.feeds).items():
                comparer = comparers.setdefault(name, OutputComparer(name, rtol))
                comparer.update(wanted.outputs[name], output)
    finally:
        runner.close()
    return {name: comparer.result().largest_excess for name, comparer in comparers.items()}


def _roles(
    spec: ModelSpec, comparers: Mapping[str, OutputComparer], squashed: Sequence[str]
) -> Iterator[RoleComparison]:
    """Outputs whose role is not known are alone in one that has their name."""
    known = {output.name: output.role for output in spec.decode.outputs} if spec.decode else {}
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


def _agreement(
    reference: Sequence[ReferenceSample], found: Sequence[Detections]
) -> AgreementScores | None:
    wanted = [detections for sample in reference for detections in sample.detections]
    return agreement(wanted, found) if wanted else None


def _out_of_tolerance(
    spec: ModelSpec,
    precision: Precision,
    tolerance: Tolerance | None,
    compared: tuple[OutputComparison, ...],
    scores: AgreementScores | None,
    rounding: Mapping[str, float] | None = None,
) -> list[str]:
    if tolerance is None:  # the integer precisions: measured, but numbers they must be
        tolerance = Tolerance()
    elif spec.decode and spec.decode.kind in RANKED_KINDS and scores is not None:
        least = _RANKED_AGREEMENT if precision == "fp32" else _FP16_AGREEMENT
        if scores.recall < least or scores.precision < least:
            return [
                f"its detections agree only to {scores.recall:.2f} recall and "
                f"{scores.precision:.2f} precision"
            ]
        return []
    found = [
        disagreement(output, tolerance, (rounding or {}).get(output.name, 0.0))
        for output in compared
    ]
    return [text for text in found if text]

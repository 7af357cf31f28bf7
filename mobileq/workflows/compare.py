"""`mobileq compare`: what differs between two bundles, and which files are worse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.bundle import Bundle, artifacts_named, read_bundle, require_artifacts
from mobileq.errors import InputError, UsageError
from mobileq.evaluate.answered import Answered
from mobileq.evaluate.changes import bundle_changes
from mobileq.evaluate.compare import (
    ONNX,
    Comparison,
    FileComparison,
    file_comparison,
    files_worse,
    unseen,
)
from mobileq.evaluate.report import read_report
from mobileq.evaluate.runs import run_each
from mobileq.evaluate.scores import Answers, Numbers
from mobileq.manifest import FileEntry
from mobileq.onnx_runtime import kept_child
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener, tracked
from mobileq.spec import Artifact, ModelSpec
from mobileq.targets.base import Tensors
from mobileq.targets.hosted import kept_children
from mobileq.tasks.base import task_of
from mobileq.workflows.failures import Attempt, Failures
from mobileq.workflows.given_samples import GivenSamples, given_samples, require_count
from mobileq.workflows.opening import OpenModel, of_artifact, reference_of
from mobileq.workflows.validate import require_whole

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample

_OWN_MODEL = (
    "Without labels each file is held against its own ONNX model: what conversion costs, and not "
    "which model is better."
)
_OTHER_ANSWERS = "The models answer in different classes, so pictures are not compared."


def compare(
    before: StrPath,
    after: StrPath,
    images: StrPath | None = None,
    annotations: StrPath | None = None,
    *,
    count: int | None = None,
    artifact: Sequence[str] = (),
    fail_if_worse: float | None = None,
    threads: int = 0,
    interpreter: str = "auto",
    progress: Progress | None = None,
) -> Comparison:
    """What differs between two bundles: made before and after a change, or of two models.

    Args:
        before, after: Their folders. Files of one name (`tflite-int8`) are compared.
        images: Pictures that the files of both are run on, whatever `convert --calib` takes; with
            labels, the folder of their pictures. None: what the bundles say is all there is.
        annotations: Labels, as of `validate`. Without, each file is held against its own ONNX
            model.
        count: How many of the pictures, spread evenly over them; None: all.
        artifact: Which files, see `mobileq.bundle.artifacts_named`; none: those of both.
        fail_if_worse: What a file may lose of mAP50-95 or top-1 since before: `worse` names those
            that lost more, whether or not that may be chance, and those that fail now.
        threads, interpreter: As of `validate`.

    Returns:
        The differences, and what was lost with the standard error of a paired bootstrap.

    Raises:
        UsageError: There is no such bundle or artifact, there are no labels for such a model, or
            nothing that could have become worse.
        InputError: A bundle or the pictures can't be read, or a bundle is not as it was written.
        MobileqError: As `Runner.run` of an ONNX model.
    """
    progress, labels = listener(progress), optional_path(annotations)
    require_count(count, threads)
    given = optional_path(images)
    if fail_if_worse is not None and not fail_if_worse >= 0.0:
        raise UsageError(f"--fail-if-worse can't be {fail_if_worse:g}.", "Give 0 or more.")
    if given is None and (labels is not None or fail_if_worse is not None):
        option = "--annotations" if labels is not None else "--fail-if-worse"
        raise UsageError(f"{option} needs pictures.", "Give their folder with --images.")
    bundles = read_bundle(Path(before)), read_bundle(Path(after))
    pairs, only_before, only_after = _named(bundles, artifact)
    manifests = bundles[0].manifest, bundles[1].manifest
    reports = read_report(bundles[0].path), read_report(bundles[1].path)
    files = [file_comparison(*pair, manifests, reports) for pair in pairs]
    failed = [each for each in manifests[1].failures if each.name in only_before]
    found = Comparison(
        before=str(before),
        after=str(after),
        is_same_model=_is_same_model(bundles),
        changed=bundle_changes(*manifests),
        files=tuple(files),
        only_before=only_before,
        only_after=only_after,
        failures=tuple(failed),
    )
    if given is None:
        return found
    _require_comparable(bundles, pairs, fail_if_worse)
    for each in bundles:
        require_whole(each)
    sides = [_Side(each, given, labels, count, threads, interpreter, progress) for each in bundles]
    with kept_child(), kept_children():
        measured = _Measuring(sides[0], sides[1]).of(found, pairs)
    found = msgspec.structs.replace(measured, annotations=labels.name if labels else None)
    return found if fail_if_worse is None else _judged(found, fail_if_worse)


def _named(
    bundles: tuple[Bundle, Bundle], names: Sequence[str]
) -> tuple[list[tuple[Artifact, Artifact]], tuple[str, ...], tuple[str, ...]]:
    """Pairs of one name, and names that only the first and only the second has."""
    for each in bundles:
        require_artifacts(each)
    before = {each.name: each for each in artifacts_named(bundles[0], names)}
    after = {each.name: each for each in bundles[1].manifest.artifacts}
    return (
        [(before[name], after[name]) for name in before if name in after],
        tuple(name for name in before if name not in after),
        () if names else tuple(name for name in after if name not in before),
    )


def _is_same_model(bundles: tuple[Bundle, Bundle]) -> bool:
    first, second = (each.manifest for each in bundles)
    return first.source.sha256 == second.source.sha256 and first.model == second.model


class _Side:
    """One of the two bundles, with the pictures as it takes them."""

    def __init__(
        self,
        bundle: Bundle,
        images: Path,
        labels: Path | None,
        count: int | None,
        threads: int,
        interpreter: str,
        progress: Progress,
    ) -> None:
        self.bundle, self._progress = bundle, progress
        self.spec: ModelSpec = bundle.manifest.model
        self.task = task_of(self.spec)
        self.samples: GivenSamples = given_samples(self.spec, images, labels, count, progress)
        self._threads, self._interpreter = threads, interpreter

    def model(self, artifact: Artifact | None) -> OpenModel:
        """A file; None: the ONNX model."""
        path = self.bundle.path
        opened = (
            of_artifact(path, self.spec, artifact) if artifact else reference_of(path, self.spec)
        )
        return dataclasses.replace(opened, threads=self._threads, interpreter=self._interpreter)

    @property
    def reference(self) -> tuple[FileEntry, ModelSpec]:
        """What is the same where the ONNX model gives the same answers."""
        return self.bundle.manifest.files[f"reference/{self.spec.name}.onnx"], self.spec

    def run(self, model: OpenModel, update: Callable[[Sample, Tensors], None]) -> None:
        """On all the pictures. Raises as `Runner.run`."""
        with closing(model.open()) as runner, closing(run_each(runner, self.samples.each())) as ran:
            title = f"Running {model.name} of {self.bundle.path.name}"
            for sample, outputs in tracked(ran, self._progress, title, self.samples.runs):
                update(sample, outputs)

    def answered(self, model: OpenModel) -> Answered:
        """Its answers, and how right they are. Raises as `Runner.run`."""
        answers = Answers(task_of(model.spec))
        self.run(model, answers.update)
        truth = self.samples.truth
        if truth is None:
            return Answered(answers, None)
        with self._progress.stage(f"Scoring {model.name} of {self.bundle.path.name}"):
            return Answered(answers, answers.accuracy(truth, self.samples.keys))


def _require_comparable(
    bundles: Sequence[Bundle], pairs: Sequence[tuple[Artifact, Artifact]], limit: float | None
) -> None:
    first, second = bundles
    tasks = [task_of(each.manifest.model) for each in bundles]
    if tasks[0].name != tasks[1].name:
        raise UsageError(
            f"{first.path} and {second.path} are for different tasks.",
            "Leave out --images to compare what the bundles say.",
        )
    if limit is None:
        return
    if tasks[0].measure is None:
        raise UsageError(
            "--fail-if-worse needs outputs with a meaning: mAP50-95 or top-1 is what may be lost.",
            "Leave it out; numbers are compared by SQNR and cosine.",
        )
    if not pairs:
        raise UsageError(f"{second.path} has no file of {first.path}.", "Leave out --artifact.")


class _Measuring:
    """Runs the files of both bundles on the same pictures, one after the other."""

    def __init__(self, before: _Side, after: _Side) -> None:
        self._before, self._after = before, after
        self._measure = after.task.measure
        self._is_same_language = before.spec.labels == after.spec.labels
        """Whether the same answer means the same in both."""

    def of(self, found: Comparison, pairs: Sequence[tuple[Artifact, Artifact]]) -> Comparison:
        """The comparison with what was measured. Raises as `Runner.run` of the ONNX models."""
        unmeasured, failures = Failures(False), Failures(False)
        files, notes = list[FileComparison](), list[str]()
        onnx: tuple[Answered, Answered] | None = None
        if self._measure is not None:
            onnx = self._onnx()
            files.append(self._between(self._onnx_row(), onnx, onnx))
            if onnx[0].accuracy is None and not found.is_same_model:
                notes.append(_OWN_MODEL)
            if not self._is_same_language:
                notes.append(_OTHER_ANSWERS)
        for file, (was, now) in zip(found.files, pairs, strict=True):
            if onnx is None:
                files.append(self._numbers(file, was, now, failures))
                continue
            before = _ran(self._before, was, unmeasured)
            after = before if file.is_same else _ran(self._after, now, failures)
            answered = (before, after) if before is not None and after is not None else None
            files.append(self._between(file, answered, onnx) if answered else file)
        return msgspec.structs.replace(
            found,
            images=self._after.samples.count,
            task=self._after.task.name,
            files=tuple(files),
            failures=(*found.failures, *failures.found),
            unmeasured=tuple(unmeasured.found),
            notes=tuple(notes),
        )

    def _onnx(self) -> tuple[Answered, Answered]:
        before = self._before.answered(self._before.model(None))
        if self._before.reference == self._after.reference:
            return before, before
        after = self._after.answered(self._after.model(None))
        if before.answers.names != after.answers.names:
            raise InputError(
                "The two models can't be given the same pictures: one reads some that the other "
                "does not.",
                "Give a folder of picture files.",
            )
        return before, after

    def _onnx_row(self) -> FileComparison:
        before, after = self._before.reference, self._after.reference
        return FileComparison(
            name=ONNX,
            is_same=before == after,
            size_before=before[0].size_bytes,
            size_after=after[0].size_bytes,
        )

    def _between(
        self, file: FileComparison, answered: tuple[Answered, Answered], onnx: tuple[Answered, ...]
    ) -> FileComparison:
        """The file with what its answers say."""
        before, after = answered
        was, now = (
            each.answers.agreement(own.answers) for each, own in zip(answered, onnx, strict=True)
        )
        figures = [each.accuracy or agreed for each, agreed in ((before, was), (after, now))]
        found = msgspec.structs.replace(
            file,
            before=figures[0].figures,
            after=figures[1].figures,
            lost=after.lost_since(before, was, now),
        )
        if not self._is_same_language:
            return found
        return msgspec.structs.replace(
            found,
            as_before=after.answers.agreement(before.answers).figures,
            pictures=after.pictures(before),
        )

    def _numbers(
        self, file: FileComparison, was: Artifact, now: Artifact, failures: Failures
    ) -> FileComparison:
        """The file against the one before, number by number."""
        with failures.of(_attempt(self._after, now)), failures.at("run"):
            model = self._after.model(now)
            with closing(self._before.model(was).open()) as beside:
                numbers = Numbers(model.name, beside)
                self._after.run(model, numbers.update)
            return msgspec.structs.replace(file, sqnr_db=numbers.sqnr_db, cosine=numbers.cosine)
        return file


def _ran(side: _Side, artifact: Artifact, failures: Failures) -> Answered | None:
    """Its answers; None where it does not load or run, which is noted."""
    with failures.of(_attempt(side, artifact)), failures.at("run"):
        return side.answered(side.model(artifact))
    return None


def _attempt(side: _Side, artifact: Artifact) -> Attempt:
    name = f"{artifact.file_name} of {side.bundle.path.name}"
    return Attempt(artifact.target, artifact.precision, name)


def _judged(found: Comparison, limit: float) -> Comparison:
    """With what is worse than the limit allows. Raises InputError where nothing could be said."""
    measure = found.measure
    assert measure is not None
    assert found.images is not None
    files = [each for each in found.files if each.name != ONNX]
    if not found.failures and all(each.lost is None for each in files):
        raise InputError(
            "Nothing says whether a file is worse: none could be compared by its answers.",
            f"Give {measure.wanted}, or labels with --annotations.",
        )
    blind = unseen(files, limit, found.images)
    return msgspec.structs.replace(
        found,
        limit=limit,
        worse=files_worse(files, found.failures, limit, measure),
        notes=(*found.notes, *([blind] if blind else [])),
    )

"""`mobileq validate`: every file of a bundle, and the ONNX model, measured on the same images."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.bundle import Bundle, BundleWriter, read_bundle, require_artifacts, verify_bundle
from mobileq.errors import DeviceError, InputError, UsageError
from mobileq.evaluate.answered import Answered
from mobileq.evaluate.report import (
    REPORT_NAME,
    ArtifactScores,
    DelegateScores,
    PhoneScores,
    Validation,
    read_report,
)
from mobileq.evaluate.runs import run_each
from mobileq.evaluate.scores import Answers, Numbers
from mobileq.manifest import MANIFEST_NAME, to_json
from mobileq.onnx_runtime import kept_child
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener, tracked
from mobileq.spec import Artifact
from mobileq.targets.base import Runner, Tensors
from mobileq.tasks.base import Scored, task_of
from mobileq.workflows.failures import Attempt, Failures
from mobileq.workflows.given_samples import GivenSamples, given_samples, require_count
from mobileq.workflows.on_phone import PhoneRunners
from mobileq.workflows.opening import OpenModel, of_artifact, reference_of
from mobileq.workflows.results import require_file_place, written_whole

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample

LATENCY_RUNS = 20
LATENCY_WARMUP = 3


def validate(
    bundle: StrPath,
    images: StrPath,
    annotations: StrPath | None = None,
    *,
    output: StrPath | None = None,
    count: int | None = None,
    runs: int | None = None,
    threads: int = 0,
    interpreter: str = "auto",
    strict: bool = False,
    device: bool = False,
    delegates: Sequence[str] = ("cpu",),
    serial: str | None = None,
    adb: StrPath | None = None,
    runner: StrPath | None = None,
    mnn_libs: StrPath | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Measure accuracy, agreement with the ONNX model, and latency of every artifact.

    Of a model whose outputs have no known meaning the numbers are compared: SQNR and cosine.

    Args:
        bundle: A bundle's folder.
        images: Whatever `convert --calib` takes; with labels, the folder of their pictures.
        annotations: Labels (of boxes, COCO json or a data.yaml; of classes, folders, a CSV or a
            data.yaml); without, agreement only.
        output: Where to write report.json; by default into the bundle, whose manifest then
            repeats the figures.
        count: How many of the pictures, spread evenly over them; None: all.
        runs: Inferences that latency is the median of; None: 20, fewer where one takes long.
        threads: Of each inference; 0: one for each processor.
        interpreter: For .tflite files: "ai_edge_litert", "tensorflow" or "auto".
        strict: Raise the error of the first file that can't be measured.
        device: Run the files on a phone, too, beside this computer,
        delegates: each on these: "cpu", "gpu", "nnapi".
        serial, adb, runner, mnn_libs: Which phone, and by what: see `PhoneRunners`.

    Returns:
        The scores; its `failures` are the files that do not load or run.

    Raises:
        UsageError: Labels are given for a model that has none, or there is nothing at a path.
        InputError: No labelled picture is in the folder, or the bundle is not as it was written.
        MobileqError: As `Runner.run` of the ONNX model, or of the first file where none runs.
        DeviceError, MissingDependencyError: As `PhoneRunners`. Where the phone goes away in the
            middle, what was measured without it is written all the same.
    """
    progress = listener(progress)
    _check(count, runs, threads)
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    require_whole(opened)
    if report := optional_path(output):
        require_file_place(report, "--output")
    labels = optional_path(annotations)
    samples = given_samples(opened.manifest.model, Path(images), labels, count, progress)
    phone = None
    if device:
        phone = PhoneRunners(
            *(opened.path, delegates),
            serial=serial,
            adb=adb,
            runner=runner,
            mnn_libs=mnn_libs,
            progress=progress,
        )
    failures, unmeasured = Failures(strict), Failures(strict)
    measuring = _Measuring(opened, samples, runs, interpreter, threads, progress, phone)
    with kept_child():
        scores = measuring.all(failures, unmeasured)
    validation = Validation(
        images=samples.count,
        annotations=labels.name if labels else None,
        machine=f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
        threads=threads,
        task=measuring.task,
        scores=scores,
        failures=tuple(failures.found),
        phone=measuring.on_phone(unmeasured),
    )
    _write(opened, validation, report)
    if measuring.gone is not None:
        raise measuring.gone
    return validation


def _check(count: int | None, runs: int | None, threads: int) -> None:
    require_count(count, threads)
    if runs is not None and runs < 1:
        raise UsageError(f"--runs can't be {runs}.", "Give 1 or more.")


def require_whole(bundle: Bundle) -> None:
    """Figures of a file that was changed would be wrong, and its new hash would be written.

    The manifest itself may differ: it is read strictly, and an older version may have written it.
    """
    found = verify_bundle(bundle.path)
    for names, what in (
        (found.missing, "is missing"),
        (tuple(name for name in found.changed if name != MANIFEST_NAME), "was changed"),
        (found.unexpected, "is not one of its files"),
    ):
        if names:
            raise InputError(
                f"{bundle.path} is not as it was written: {names[0]} {what}.",
                "See `mobileq verify`; make the bundle again with `mobileq convert`.",
            )


class _Measuring:
    """Runs one file after the other over the same samples: the ONNX model first.

    Where its answers can be read they are kept; where not, it runs again beside each file.
    """

    def __init__(
        self,
        bundle: Bundle,
        samples: GivenSamples,
        runs: int | None,
        interpreter: str,
        threads: int,
        progress: Progress,
        phone: PhoneRunners | None,
    ) -> None:
        self._phone = phone
        self.gone: DeviceError | None = None
        """Why nothing more is run on the phone."""
        self._there: list[DelegateScores] = []
        self._bundle, self._samples = bundle, samples
        self._runs, self._progress = runs, progress
        self._interpreter, self._threads = interpreter, threads
        self._reference = self._as_asked(reference_of(bundle.path, bundle.manifest.model))
        self._has_answers = task_of(bundle.manifest.model).measure is not None
        self._wanted: Answered | None = None

    def _as_asked(self, model: OpenModel) -> OpenModel:
        return dataclasses.replace(model, interpreter=self._interpreter, threads=self._threads)

    def all(self, failures: Failures, unmeasured: Failures) -> tuple[ArtifactScores, ...]:
        """Of the ONNX model and all files that run; where none does, the first error is raised.

        `unmeasured` are those that fail on the phone.
        """
        manifest = self._bundle.manifest
        scores = [self._reference_scores()]
        for artifact in manifest.artifacts:
            attempt = Attempt(artifact.target, artifact.precision, artifact.file_name)
            with failures.of(attempt), failures.at("run"):
                model = self._as_asked(of_artifact(self._bundle.path, manifest.model, artifact))
                found, answered = self._scores(model)
                scores.append(found)
                self._run_there(artifact, model, answered, unmeasured)
        if len(scores) == 1:
            failures.raise_first()
        return tuple(scores)

    def _run_there(
        self, artifact: Artifact, model: OpenModel, here: Answered | None, unmeasured: Failures
    ) -> None:
        """The same file on the phone, on each delegate; `here` is what it answered here."""
        if self._phone is None or self.gone is not None:
            return
        if not self._phone.runs(artifact):
            self._progress.notice(f"{artifact.name} is not run on the phone: no library for it.")
            return
        try:
            self._run_on(self._phone, artifact, model, here, unmeasured)
        except DeviceError as error:
            self.gone = error

    def _run_on(
        self,
        phone: PhoneRunners,
        artifact: Artifact,
        model: OpenModel,
        here: Answered | None,
        unmeasured: Failures,
    ) -> None:
        for delegate in phone.delegates:
            name = f"{artifact.name} on {delegate}"
            attempt = Attempt(artifact.target, artifact.precision, name)
            with unmeasured.of(attempt), unmeasured.at("run"):
                with closing(phone.open(artifact, delegate, self._threads)) as runner:
                    took = tuple(map(str, runner.delegations))
                    there = dataclasses.replace(model, name=name, opened=runner)
                    found, answered = self._scores(there)
                found = msgspec.structs.replace(found, name=artifact.name)
                scores = DelegateScores(
                    delegate=delegate, scores=found, same=None, delegations=took
                )
                if answered and here:
                    scores = answered.on_phone(scores, here)
                self._there.append(scores)

    def on_phone(self, unmeasured: Failures) -> PhoneScores | None:
        """What was measured there; None where nothing was to be."""
        if self._phone is None:
            return None
        return PhoneScores(
            device=self._phone.name, files=tuple(self._there), failures=tuple(unmeasured.found)
        )

    @property
    def task(self) -> str:
        """Whose figures the scores have."""
        return task_of(self._reference.spec).name if self._has_answers else "tensors"

    def _reference_scores(self) -> ArtifactScores:
        answers = Answers(task_of(self._reference.spec))
        found = self._run(self._reference, answers.update)
        if not self._has_answers:
            return found
        self._wanted = Answered(answers, self._accuracy(found.name, answers))
        if self._wanted.accuracy is None:
            return found
        return msgspec.structs.replace(found, accuracy=self._wanted.accuracy.figures)

    def _scores(self, model: OpenModel) -> tuple[ArtifactScores, Answered | None]:
        """Its figures, and its answers where they can be read."""
        if self._wanted is None:
            with closing(self._reference.open()) as beside:
                numbers = Numbers(model.name, beside)
                found = self._run(model, numbers.update)
            noise = {"sqnr_db": numbers.sqnr_db, "cosine": numbers.cosine}
            return msgspec.structs.replace(found, **noise), None
        answers = Answers(task_of(model.spec))
        found = self._run(model, answers.update)
        answered = Answered(answers, self._accuracy(model.name, answers))
        agreement = answers.agreement(self._wanted.answers)
        with self._progress.stage(f"Resampling {model.name}"):
            lost = answered.lost(self._wanted, agreement)
        scores = msgspec.structs.replace(
            found,
            accuracy=None if answered.accuracy is None else answered.accuracy.figures,
            agreement=agreement.figures,
            lost=lost,
        )
        return scores, answered

    def _run(self, model: OpenModel, update: Callable[[Sample, Tensors], None]) -> ArtifactScores:
        feeds: Tensors = {}
        with ExitStack() as opened:
            runner = opened.enter_context(closing(model.open()))
            ran = opened.enter_context(closing(run_each(runner, self._samples.each())))
            count = self._samples.runs
            for sample, outputs in tracked(ran, self._progress, f"Running {model.name}", count):
                feeds = sample.feeds
                update(sample, outputs)
            return ArtifactScores(
                name=model.name,
                interpreter=runner.interpreter,
                size_bytes=model.path.stat().st_size,
                latency_ms=_latency(runner, feeds, self._runs),
            )

    def _accuracy(self, name: str, answers: Answers) -> Scored | None:
        if self._samples.truth is None:
            return None
        with self._progress.stage(f"Scoring {name}"):
            return answers.accuracy(self._samples.truth, self._samples.keys)


def _latency(runner: Runner, feeds: Tensors, runs: int | None) -> float:
    """Median milliseconds of an inference; fewer runs where one takes long."""
    if runs is None:
        first = runner.latency(feeds, 1, 1)[0]
        runs = LATENCY_RUNS if first < 0.25 else 3
    return statistics.median(runner.latency(feeds, runs, LATENCY_WARMUP)) * 1000.0


def _write(bundle: Bundle, validation: Validation, output: Path | None) -> None:
    """report.json to `output`, or into the bundle, which is replaced as a whole."""
    report = msgspec.structs.replace(read_report(bundle.path), validation=validation)
    if output is not None:
        with written_whole(output, "--output") as file:
            file.write_bytes(to_json(report))
        return
    names = [artifact.name for artifact in bundle.manifest.artifacts]
    measure = task_of(bundle.manifest.model).measure
    manifest = msgspec.structs.replace(
        bundle.manifest,
        measurements={name: report.measurements(name, measure) for name in names},
    )
    with BundleWriter(bundle.path, force=True) as writer:
        for path in bundle.manifest.files:
            if path != REPORT_NAME:
                writer.add_file(path, bundle.path / path)
        writer.add_bytes(REPORT_NAME, to_json(report))
        writer.finish(manifest)

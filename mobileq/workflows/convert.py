"""`mobileq convert`: an ONNX model becomes a bundle of files that are known to agree with it."""

from __future__ import annotations

import datetime
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from mobileq import __version__
from mobileq.bundle import BundleWriter
from mobileq.cache import ResultCache
from mobileq.errors import (
    MobileqError,
    ToolError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.evaluate.report import Report
from mobileq.evaluate.verify import Verification, run_reference
from mobileq.manifest import BundleManifest, RunInfo, SourceInfo, to_json
from mobileq.progress import Progress, Silent
from mobileq.quantize.plan import QuantPlan
from mobileq.spec import (
    Artifact,
    Engine,
    IoDtype,
    MnnMethod,
    MnnWeights,
    Precision,
    QuantRecipe,
)
from mobileq.targets.base import Target, load_target
from mobileq.workflows.golden import add_golden
from mobileq.workflows.inputs import open_calibration, verification_samples
from mobileq.workflows.opening import Overrides
from mobileq.workflows.stages import Source, Stages

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet
    from mobileq.evaluate.verify import ReferenceSample

VERIFY_COUNT = 8
"""How many pictures every file is run on before the command succeeds."""
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")
_LEAST_SPACE = 8_000_000
"""Bytes on the temporary folder's disk below which a failure is put down to that."""
LOST_AGREEMENT = 0.5
"""Below this the person is told that a precision costs more than it is worth."""


@dataclass(frozen=True)
class ConvertOptions:
    """What `convert` can be told; see `mobileq convert --help`."""

    targets: tuple[str, ...] = ("tflite",)
    precisions: tuple[Precision, ...] | None = None
    """For every target; None: each target's own defaults."""
    engine: Engine = "direct"
    io: IoDtype = "float32"
    calib: Path | None = None
    calib_count: int = 64
    seed: int = 0
    keep_float: tuple[str, ...] = ()
    mnn_method: MnnMethod = "mobileq"
    mnn_weights: MnnWeights = "MAX_ABS"
    overrides: Overrides = field(default_factory=Overrides)


def convert(
    model: Path | str,
    output: Path | str,
    options: ConvertOptions | None = None,
    *,
    force: bool = False,
    cache: bool = True,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> BundleManifest:
    """Convert an ONNX file, verify every result, and write the bundle.

    Args:
        model: The ONNX file.
        output: The bundle's folder, which must not exist unless `force`.
        options: What to convert to, and how.
        force: Replace an existing bundle.
        cache: Reuse results of earlier runs with the same inputs.
        command: What to note in the manifest as the command line.
        progress: Who listens.

    Returns:
        The manifest, as written.

    Raises:
        MobileqError: One of its kinds; nothing is left half-written and an existing bundle is
            untouched.
    """
    options, progress = options or ConvertOptions(), progress or Silent()
    _check(options)
    with (
        ResultCache(enabled=cache) as store,
        BundleWriter(Path(output), force=force) as bundle,
        tempfile.TemporaryDirectory(prefix="mobileq-") as scratch,
    ):
        stages = Stages(store, Path(scratch), progress)
        results = _Conversion(Path(model), options, stages, progress).run()
        manifest = _write(bundle, results, Path(model), options, tuple(command), progress)
        if store.notice:
            progress.notice(store.notice)
        return manifest


def _check(options: ConvertOptions) -> None:
    for value, kind, option in (
        *((precision, Precision, "--precision") for precision in options.precisions or ()),
        (options.engine, Engine, "--engine"),
        (options.io, IoDtype, "--io"),
        (options.mnn_method, MnnMethod, "--mnn-method"),
        (options.mnn_weights, MnnWeights, "--mnn-weights"),
    ):
        if value not in get_args(kind):
            known = ", ".join(get_args(kind))
            raise UsageError(f"{option} can't be {value!r}.", f"Choose of: {known}.")
    if options.precisions == ():
        raise UsageError("No precision was given.", "Add --precision fp32,fp16.")
    if not options.targets:
        raise UsageError("No target was given.", "Add --target tflite.")
    for name in options.targets:
        _check_target(load_target(name), options)
    calibrated = [name for name in options.precisions or () if name in CALIBRATED]
    if calibrated and options.calib is None:
        raise UsageError(
            f"{calibrated[0]} needs pictures to calibrate on.",
            "Add --calib FOLDER with some dozens of typical photos.",
        )
    for pattern in options.keep_float:
        _check_pattern(pattern)
    if options.calib_count < 1:
        raise UsageError("--calib-count must be at least 1.", "Use 64, the default.")


def _check_target(target: Target, options: ConvertOptions) -> None:
    missing = [each for each in options.precisions or () if each not in target.precisions]
    if missing:
        raise UsageError(
            f"The target {target.name} has no {missing[0]}.",
            f"Choose of: {', '.join(target.precisions)}.",
        )


def _precisions(target: Target, options: ConvertOptions) -> tuple[Precision, ...]:
    return options.precisions or target.default_precisions


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--keep-float {pattern!r} is no regular expression: {error}.",
            "Give a Python regular expression on the ONNX model's tensor names.",
        ) from error


def _require_disk_space() -> None:
    """A tool that ran out of space says so in ways of its own, or not at all."""
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < _LEAST_SPACE:
        raise MobileqError(
            f"The disk of the temporary folder {folder} is full.",
            "Free some space, or name another folder in TMPDIR.",
        )


def _ignored(options: ConvertOptions) -> list[str]:
    """Options that these precisions have no use for."""
    if any(precision in CALIBRATED for precision in options.precisions or ()):
        return []
    given = [("--io", options.io != "float32"), ("--keep-float", bool(options.keep_float))]
    return [option for option, is_given in given if is_given]


@dataclass(frozen=True)
class _Result:
    """One file that was converted and compared."""

    artifact: Artifact
    path: Path
    verification: Verification
    companions: tuple[str, ...] = ()
    """What else belongs into the bundle, by its path there and in the folder of `path`."""


@dataclass(frozen=True)
class _Results:
    source: Source
    samples: SampleSet | None
    files: list[_Result]


class _Conversion:
    """One run: which files are made, by which engine, and whether they are good enough."""

    def __init__(
        self, model: Path, options: ConvertOptions, stages: Stages, progress: Progress
    ) -> None:
        self._options, self._stages, self._progress = options, stages, progress
        self._engine: Engine = options.engine
        self._source = stages.prepare(model, options.overrides)
        for notice in self._source.info.notices:
            progress.notice(notice)
        for option in _ignored(options):
            progress.notice(f"{option} is for int8 and int16x8 and changes nothing here.")
        self._samples = self._open_samples()
        self._reference: list[ReferenceSample] = []
        self._plan: QuantPlan | None = None

    def run(self) -> _Results:
        """All files of all targets."""
        files = []
        for name in self._options.targets:
            target = load_target(name)
            # The float file first: the others are made from it, by the engine that got it right.
            base = self._float_with_fallback(target)
            for precision in _precisions(target, self._options):
                files.append(base if precision == "fp32" else self._result(target, precision))
        return _Results(self._source, self._samples, files)

    def _open_samples(self) -> SampleSet | None:
        options = self._options
        if options.calib is not None:
            return open_calibration(
                self._source.spec, options.calib, options.calib_count, options.seed, self._progress
            )
        self._progress.notice(
            "Without --calib the files are verified on drawn pictures only; give some typical "
            "photos for a better check."
        )
        return None

    def _float_with_fallback(self, target: Target) -> _Result:
        asked = self._options.engine
        self._engine = asked if asked in target.engines else target.engines[0]
        try:
            return self._result(target, "fp32")
        except (VerificationError, ToolError) as error:
            if self._engine != "direct" or "tensorflow" not in target.engines:
                raise
            first = error
        _require_disk_space()
        self._progress.notice(
            f"The direct engine failed ({first.message.rstrip('.')}); trying the engine "
            "`tensorflow`, which takes minutes."
        )
        self._engine = "tensorflow"
        try:
            return self._result(target, "fp32")
        except (VerificationError, ToolError) as second:
            # Which operator is at fault says more than what TensorFlow makes of it.
            if isinstance(first, UnsupportedOperatorError):
                raise first from second
            raise

    def _result(self, target: Target, precision: Precision) -> _Result:
        """Convert, load, run and compare. Raises VerificationError where a float file differs."""
        plan, samples = None, None
        if precision in CALIBRATED:
            samples = self._samples
            # MNN's own quantizer calibrates by itself.
            plan = None if self._calibrates(target) else self._quant_plan()
        recipe = self._recipe(target, precision, plan)
        artifact, path, companions = self._stages.convert(
            self._source, target, recipe, plan, samples
        )
        found = self._stages.verify(
            self._source, target, artifact, path, self._reference_samples, self._reference_key()
        )
        if found.problems:
            raise VerificationError(
                f"{path.name} does not agree with the ONNX model: {found.problems[0]}.",
                "Try the other --engine, or report the model.",
            )
        for note in artifact.notes:
            self._progress.notice(note)
        if found.agreement and found.agreement.map50_95 < LOST_AGREEMENT:
            self._progress.notice(
                f"{path.name} finds little of what the ONNX model finds (agreement "
                f"{found.agreement.map50_95:.2f}): don't ship it; keep sensitive ops in float "
                "with --keep-float, or use dynamic."
            )
        return _Result(artifact, path, found, companions)

    def _calibrates(self, target: Target) -> bool:
        return target.name == "mnn" and self._options.mnn_method != "mobileq"

    def _quant_plan(self) -> QuantPlan | None:
        """Made once; TensorFlow's converter calibrates by itself and takes none."""
        if self._plan is None and self._samples is not None and self._engine == "direct":
            patterns = self._options.keep_float
            self._plan = self._stages.plan(self._source, self._samples, patterns)
        return self._plan

    def _recipe(self, target: Target, precision: Precision, plan: QuantPlan | None) -> QuantRecipe:
        own = precision == "int8" and self._calibrates(target)
        return QuantRecipe(
            precision=precision,
            engine=self._engine,
            calibrator=plan.calibrator if plan else None,
            keep_float=plan.keep_float if plan else (),
            io=self._options.io if precision in CALIBRATED else "float32",
            mnn_method=self._options.mnn_method if own else None,
            mnn_weights=self._options.mnn_weights if own else None,
        )

    def _reference_key(self) -> str:
        chosen = self._samples.fingerprint() if self._samples else f"drawn, {self._options.seed}"
        return f"{chosen}, first {VERIFY_COUNT}"

    def _reference_samples(self) -> list[ReferenceSample]:
        if not self._reference:
            from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

            spec = self._source.spec
            runner = OnnxRuntimeRunner(self._source.onnx, spec.inputs, spec.outputs)
            feeds = verification_samples(spec, self._samples, VERIFY_COUNT, self._options.seed)
            self._reference = run_reference(runner, spec, feeds, self._progress)
            runner.close()
        return self._reference


def _write(
    bundle: BundleWriter,
    results: _Results,
    model: Path,
    options: ConvertOptions,
    command: tuple[str, ...],
    progress: Progress,
) -> BundleManifest:
    from mobileq.calibration.samples import calibration_info

    source, spec = results.source, results.source.spec
    for result in results.files:
        bundle.add_file(result.artifact.path, result.path)
        for name in result.companions:
            bundle.add_file(name, result.path.parent / name)
    bundle.add_file(f"reference/{spec.name}.onnx", source.onnx)
    if spec.labels:
        bundle.add_bytes("labels.txt", ("\n".join(spec.labels) + "\n").encode())
    with progress.stage("Writing golden vectors"):
        sample = next(verification_samples(spec, results.samples, 1, options.seed))
        add_golden(bundle, spec, source.onnx, sample)
    report = Report(verifications={r.artifact.name: r.verification for r in results.files})
    bundle.add_bytes("report.json", to_json(report))
    calibration = None
    if results.samples is not None and options.calib is not None:
        calibration = calibration_info(results.samples, options.calib, options.seed)
    artifacts = tuple(result.artifact for result in results.files)
    manifest = BundleManifest(
        model=spec,
        source=SourceInfo(
            file_name=model.name,
            sha256=source.info.source_sha256,
            opset=source.info.opset,
            size_bytes=model.stat().st_size,
        ),
        artifacts=artifacts,
        run=RunInfo(created=_now(), command=command),
        measurements={artifact.name: report.measurements(artifact.name) for artifact in artifacts},
        calibration=calibration,
        tool_versions={"mobileq": __version__, "python": sys.version.split()[0]},
    )
    return bundle.finish(manifest).manifest


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

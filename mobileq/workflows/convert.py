"""`mobileq convert`: an ONNX model becomes a bundle of files that are known to agree with it."""

from __future__ import annotations

import datetime
import hashlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from mobileq import __version__
from mobileq.bundle import BundleWriter
from mobileq.cache import ResultCache
from mobileq.errors import ToolError, UsageError, VerificationError
from mobileq.evaluate.report import Report
from mobileq.evaluate.verify import Verification, run_reference, verify
from mobileq.manifest import BundleManifest, CalibrationInfo, RunInfo, SourceInfo, to_json
from mobileq.progress import Progress, Silent
from mobileq.spec import (
    Artifact,
    Engine,
    HeadKind,
    IoDtype,
    ModelSpec,
    Precision,
    QuantRecipe,
    Spec,
    TensorSpec,
)
from mobileq.targets.base import ConversionJob, Target, load_target
from mobileq.workflows.golden import add_golden
from mobileq.workflows.inputs import guessed_preprocess, open_calibration, verification_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import SampleSet
    from mobileq.evaluate.verify import ReferenceSample

VERIFY_COUNT = 8
"""How many pictures every file is run on before the command succeeds."""
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")
DEFAULT_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "dynamic")


@dataclass(frozen=True)
class ConvertOptions:
    """What `convert` can be told; see `mobileq convert --help`."""

    targets: tuple[str, ...] = ("tflite",)
    precisions: tuple[Precision, ...] = DEFAULT_PRECISIONS
    engine: Engine = "direct"
    io: IoDtype = "float32"
    calib: Path | None = None
    calib_count: int = 64
    seed: int = 0
    input_shapes: tuple[str, ...] = ()
    family: str | None = None
    spec_file: Path | None = None
    labels: str | None = None
    keep_float: tuple[str, ...] = ()


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
        job = _Conversion(Path(model), options, store, Path(scratch), progress)
        return job.run(bundle, tuple(command))


def _check(options: ConvertOptions) -> None:
    for value, kind, option in (
        *((precision, Precision, "--precision") for precision in options.precisions),
        (options.engine, Engine, "--engine"),
        (options.io, IoDtype, "--io"),
    ):
        if value not in get_args(kind):
            known = ", ".join(get_args(kind))
            raise UsageError(f"{option} can't be {value!r}.", f"Choose of: {known}.")
    if not options.precisions:
        raise UsageError("No precision was given.", "Add --precision fp32,fp16,dynamic.")
    calibrated = [name for name in options.precisions if name in CALIBRATED]
    if calibrated and options.calib is None:
        raise UsageError(
            f"{calibrated[0]} needs pictures to calibrate on.",
            "Add --calib FOLDER with some dozens of typical photos.",
        )
    if options.calib_count < 1:
        raise UsageError("--calib-count must be at least 1.", "Use 64, the default.")


class _Source(Spec, frozen=True, kw_only=True):
    """The prepared model, as it is kept in the cache beside model.onnx."""

    spec: ModelSpec
    opset: int
    source_sha256: str
    notices: tuple[str, ...] = ()


class _Built(Spec, frozen=True, kw_only=True):
    """What is kept in the cache beside a converted file."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    notes: tuple[str, ...]
    tool_versions: dict[str, str]


class _Conversion:
    """One run of `convert`."""

    def __init__(
        self,
        model: Path,
        options: ConvertOptions,
        store: ResultCache,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self._model, self._options = model, options
        self._store, self._scratch, self._progress = store, scratch, progress
        self._engine: Engine = options.engine
        self._results: list[tuple[Artifact, Path, Verification]] = []
        self._reference: list[ReferenceSample] | None = None

    def run(self, bundle: BundleWriter, command: tuple[str, ...]) -> BundleManifest:
        """Everything, in order."""
        self._prepare()
        self._open_samples()
        for name in self._options.targets:
            self._convert_target(load_target(name))
        if self._store.notice:
            self._progress.notice(self._store.notice)
        return self._write(bundle, command)

    def _prepare(self) -> None:
        options = self._options
        key = self._store.key(
            "prepare",
            mobileq=_code(),
            model=_digest(self._model),
            name=self._model.stem,
            shapes=options.input_shapes,
            family=options.family,
            spec=_digest(options.spec_file) if options.spec_file else None,
            labels=_digest_labels(options.labels),
        )
        folder = self._scratch / "source"
        folder.mkdir()
        with self._progress.stage(f"Preparing {self._model.name}"):
            self._store.fetch(key, folder, self._prepare_into)
        self._onnx = folder / "model.onnx"
        self._source = msgspec.json.decode((folder / "source.json").read_bytes(), type=_Source)
        self._spec = self._source.spec
        self._onnx_sha256 = _digest(self._onnx)
        for notice in self._source.notices:
            self._progress.notice(notice)

    def _prepare_into(self, folder: Path) -> None:
        from mobileq.graph.prepare import prepare

        options = self._options
        prepared = prepare(
            self._model, options.input_shapes, options.family, options.spec_file, options.labels
        )
        spec, notices = prepared.spec, prepared.notices
        if spec.preprocess is None and (guess := guessed_preprocess(spec)):
            spec = msgspec.structs.replace(spec, preprocess=guess)
            notices += (
                "Pictures are fed as RGB, divided by 255, letterboxed, since the family is not "
                "known; say otherwise with --spec.",
            )
        data = prepared.model.SerializeToString(deterministic=True)
        (folder / "model.onnx").write_bytes(data)
        source = _Source(
            spec=spec,
            opset=prepared.opset,
            source_sha256=prepared.source_sha256,
            notices=notices,
        )
        (folder / "source.json").write_bytes(msgspec.json.encode(source))

    def _open_samples(self) -> None:
        options = self._options
        self._samples: SampleSet | None = None
        if options.calib is None:
            self._progress.notice(
                "Without --calib the files are verified on drawn pictures only; give some typical "
                "photos for a better check."
            )
        else:
            self._samples = open_calibration(
                self._spec, options.calib, options.calib_count, options.seed, self._progress
            )
        self._samples_key = self._samples.fingerprint() if self._samples else "drawn"

    def _convert_target(self, target: Target) -> None:
        """The float file first: the others are made from it, by the engine that got it right."""
        base = self._float_with_fallback(target)
        for precision in self._options.precisions:
            self._results.append(
                base if precision == "fp32" else self._verified(target, precision, self._engine)
            )

    def _float_with_fallback(self, target: Target) -> tuple[Artifact, Path, Verification]:
        try:
            return self._verified(target, "fp32", self._engine)
        except (VerificationError, ToolError) as error:
            if self._engine != "direct":
                raise
            self._progress.notice(
                f"The direct engine failed ({error.message.rstrip('.')}); using the engine "
                "`tensorflow`, which takes minutes."
            )
            self._engine = "tensorflow"
        return self._verified(target, "fp32", self._engine)

    def _verified(
        self, target: Target, precision: Precision, engine: Engine
    ) -> tuple[Artifact, Path, Verification]:
        """Convert, load, run and compare. Raises VerificationError where a float file differs."""
        recipe = self._recipe(precision, engine)
        path, built = self._convert(target, recipe)
        digest = _digest(path)
        artifact = Artifact(
            target=target.name,
            precision=precision,
            path=f"models/{path.name}",
            sha256=digest,
            size_bytes=path.stat().st_size,
            inputs=built.inputs,
            outputs=built.outputs,
            recipe=recipe,
            ops=built.ops,
            tool_versions=built.tool_versions,
            notes=built.notes,
        )
        found = self._verify(target, artifact, path)
        for note in built.notes:
            self._progress.notice(note)
        if found.problems:
            raise VerificationError(
                f"{path.name} does not agree with the ONNX model: {found.problems[0]}.",
                "Try the other --engine, or report the model.",
            )
        return artifact, path, found

    def _recipe(self, precision: Precision, engine: Engine) -> QuantRecipe:
        integer = precision in CALIBRATED
        head: HeadKind = "decoded"
        return QuantRecipe(
            precision=precision,
            engine=engine,
            calibrator="min-max" if integer else None,
            keep_float=self._options.keep_float if integer else (),
            head=head,
            io=self._options.io if integer else "float32",
        )

    def _convert(self, target: Target, recipe: QuantRecipe) -> tuple[Path, _Built]:
        samples = self._samples if recipe.precision in CALIBRATED else None
        versions = target.tool_versions(recipe)
        key = self._store.key(
            "convert",
            mobileq=_code(),
            model=self._onnx_sha256,
            spec=self._spec,
            target=target.name,
            recipe=recipe,
            samples=self._samples_key if samples else None,
            versions=versions,
        )
        folder = self._scratch / f"{target.name}-{recipe.engine}-{recipe.precision}"
        folder.mkdir()
        path = folder / f"{self._spec.name}-{recipe.precision}{target.suffix}"

        def make(_: Path) -> None:
            job = ConversionJob(
                model=self._onnx,
                spec=self._spec,
                recipe=recipe,
                samples=(lambda: _tensors(samples)) if samples else None,
                sample_count=len(samples) if samples else 0,
                output=path,
                scratch=self._scratch,
                progress=self._progress,
            )
            done = target.convert(job)
            built = _Built(
                inputs=done.inputs,
                outputs=done.outputs,
                ops=done.ops,
                notes=done.notes,
                tool_versions=versions,
            )
            (folder / "built.json").write_bytes(msgspec.json.encode(built))

        self._store.fetch(key, folder, make)
        return path, msgspec.json.decode((folder / "built.json").read_bytes(), type=_Built)

    def _verify(self, target: Target, artifact: Artifact, path: Path) -> Verification:
        key = self._store.key(
            "verify",
            mobileq=_code(),
            model=self._onnx_sha256,
            spec=self._spec,
            file=artifact.sha256,
            samples=self._samples_key,
            seed=self._options.seed,
            count=VERIFY_COUNT,
        )
        folder = path.parent / "verification"
        folder.mkdir()

        def make(folder: Path) -> None:
            runner = target.open(path, artifact.inputs, artifact.outputs)
            try:
                found = verify(
                    runner,
                    self._reference_name,
                    self._reference_samples(),
                    self._spec,
                    artifact.precision,
                    self._progress,
                )
            finally:
                runner.close()
            (folder / "verification.json").write_bytes(msgspec.json.encode(found))

        self._store.fetch(key, folder, make)
        return msgspec.json.decode((folder / "verification.json").read_bytes(), type=Verification)

    @property
    def _reference_name(self) -> str:
        from importlib.metadata import version

        return f"onnxruntime {version('onnxruntime')}"

    def _reference_samples(self) -> list[ReferenceSample]:
        if self._reference is None:
            from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

            runner = OnnxRuntimeRunner(self._onnx, self._spec.inputs, self._spec.outputs)
            feeds = verification_samples(
                self._spec, self._samples, VERIFY_COUNT, self._options.seed
            )
            self._reference = run_reference(runner, self._spec, feeds, self._progress)
            runner.close()
        return self._reference

    def _write(self, bundle: BundleWriter, command: tuple[str, ...]) -> BundleManifest:
        for artifact, path, _ in self._results:
            bundle.add_file(artifact.path, path)
        bundle.add_file(f"reference/{self._spec.name}.onnx", self._onnx)
        if self._spec.labels:
            bundle.add_bytes("labels.txt", ("\n".join(self._spec.labels) + "\n").encode())
        with self._progress.stage("Writing golden vectors"):
            add_golden(bundle, self._spec, self._onnx, self._first_sample())
        report = Report(verifications={a.name: found for a, _, found in self._results})
        bundle.add_bytes("report.json", to_json(report))
        artifacts = tuple(artifact for artifact, _, _ in self._results)
        manifest = BundleManifest(
            model=self._spec,
            source=SourceInfo(
                file_name=self._model.name,
                sha256=self._source.source_sha256,
                opset=self._source.opset,
                size_bytes=self._model.stat().st_size,
            ),
            artifacts=artifacts,
            run=RunInfo(created=_now(), command=command),
            measurements={a.name: report.measurements(a.name) for a in artifacts},
            calibration=self._calibration_info(),
            tool_versions={"mobileq": __version__, "python": sys.version.split()[0]},
        )
        return bundle.finish(manifest).manifest

    def _first_sample(self) -> Any:
        feeds = verification_samples(self._spec, self._samples, 1, self._options.seed)
        return next(iter(feeds))

    def _calibration_info(self) -> CalibrationInfo | None:
        from mobileq.calibration.samples import calibration_info

        if self._samples is None or self._options.calib is None:
            return None
        return calibration_info(self._samples, self._options.calib, self._options.seed)


def _tensors(samples: SampleSet) -> Iterator[NDArray[Any]]:
    for sample in samples:
        yield sample.tensor


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _digest_labels(labels: str | None) -> str | None:
    """Hash of a label file; the name itself of a set that is built in."""
    if labels and Path(labels).is_file():
        return _digest(Path(labels))
    return labels


@functools.cache
def _code() -> str:
    """Hash of mobileq's own sources: what other code made is not reused."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

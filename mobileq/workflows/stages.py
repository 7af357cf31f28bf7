"""The stages of a conversion, each reused from the cache where its inputs have not changed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.cache import ResultCache
from mobileq.errors import UsageError
from mobileq.evaluate.verify import Verification, verify
from mobileq.progress import Progress
from mobileq.quantize.plan import QuantPlan, plan_quantization
from mobileq.spec import Artifact, ModelSpec, QuantRecipe, Spec, TensorSpec
from mobileq.targets.base import ConversionJob, Runner, Target
from mobileq.workflows.inputs import guessed_preprocess
from mobileq.workflows.opening import Overrides

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import SampleSet
    from mobileq.evaluate.verify import ReferenceSample


class PreparedInfo(Spec, frozen=True, kw_only=True):
    """What is kept beside a prepared model."""

    spec: ModelSpec
    opset: int
    source_sha256: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """The prepared model on disk: float32, static shapes, simplified."""

    onnx: Path
    sha256: str
    info: PreparedInfo

    @property
    def spec(self) -> ModelSpec:
        """How to feed and read it."""
        return self.info.spec


class _Built(Spec, frozen=True, kw_only=True):
    """What is kept beside a converted file."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    notes: tuple[str, ...]
    companions: tuple[str, ...] = ()


class Stages:
    """Runs the stages in `scratch`, a folder that outlives what they return."""

    def __init__(self, store: ResultCache, scratch: Path, progress: Progress) -> None:
        self._store, self._scratch, self._progress = store, scratch, progress

    def prepare(self, model: Path, overrides: Overrides) -> Source:
        """Load, fix shapes, simplify and recognise. Raises as `mobileq.graph.prepare.prepare`."""
        key = self._store.key(
            "prepare",
            code=_code(),
            model=digest(model),
            name=model.stem,
            shapes=overrides.input_shapes,
            family=overrides.family,
            labels=_digest_labels(overrides.labels),
        )
        folder = self._folder("source")
        with self._progress.stage(f"Preparing {model.name}"):
            if overrides.spec_file or _may_refer_to_files(model):
                _prepare(model, overrides, folder)
            else:
                self._store.fetch(key, folder, lambda into: _prepare(model, overrides, into))
        onnx = folder / "model.onnx"
        info = msgspec.json.decode((folder / "prepared.json").read_bytes(), type=PreparedInfo)
        return Source(onnx, digest(onnx), info)

    def plan(self, source: Source, samples: SampleSet, patterns: tuple[str, ...]) -> QuantPlan:
        """Ranges and float ops for the integer precisions. Raises as `plan_quantization`."""
        key = self._store.key(
            "plan",
            code=_code(),
            model=source.sha256,
            samples=samples.fingerprint(),
            patterns=patterns,
            versions=reference_name(),
        )
        folder = self._folder("plan")
        name = source.spec.inputs[0].name

        def make(folder: Path) -> None:
            plan = plan_quantization(
                source.onnx.read_bytes(),
                lambda: ({name: tensor} for tensor in _tensors(samples)),
                len(samples),
                patterns,
                self._progress,
            )
            (folder / "plan.json").write_bytes(msgspec.json.encode(plan))

        self._store.fetch(key, folder, make)
        return msgspec.json.decode((folder / "plan.json").read_bytes(), type=QuantPlan)

    def convert(
        self,
        source: Source,
        target: Target,
        recipe: QuantRecipe,
        plan: QuantPlan | None,
        samples: SampleSet | None,
    ) -> tuple[Artifact, Path, tuple[str, ...]]:
        """One file in one precision; `plan` and `samples` only where the recipe needs them.

        Returns:
            The artifact, its file, and its companions (see `Converted`).

        Raises:
            As `Target.convert`.
        """
        versions = target.tool_versions(recipe)
        key = self._store.key(
            "convert",
            code=_code(),
            model=source.sha256,
            spec=source.spec,
            target=target.name,
            recipe=recipe,
            plan=plan,
            samples=samples.fingerprint() if samples else None,
            versions=versions,
        )
        folder = self._folder(f"{target.name}-{recipe.engine}-{recipe.precision}")
        path = folder / f"{source.spec.name}-{recipe.precision}{target.suffix}"

        def make(folder: Path) -> None:
            job = ConversionJob(
                model=source.onnx,
                spec=source.spec,
                recipe=recipe,
                ranges=plan.ranges if plan else {},
                keep_float=plan.keep_float if plan else (),
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
                companions=done.companions,
            )
            (folder / "built.json").write_bytes(msgspec.json.encode(built))

        self._store.fetch(key, folder, make)
        built = msgspec.json.decode((folder / "built.json").read_bytes(), type=_Built)
        artifact = Artifact(
            target=target.name,
            precision=recipe.precision,
            path=f"models/{path.name}",
            sha256=digest(path),
            size_bytes=path.stat().st_size,
            inputs=built.inputs,
            outputs=built.outputs,
            recipe=recipe,
            ops=built.ops,
            tool_versions=versions,
            notes=built.notes,
        )
        return artifact, path, built.companions

    def verify(
        self,
        source: Source,
        target: Target,
        artifact: Artifact,
        path: Path,
        reference: Callable[[], list[ReferenceSample]],
        reference_key: str,
    ) -> Verification:
        """Load the file, run it, compare it. Raises where it does not load or run.

        Args:
            reference: Gives what to compare with; called only where the cache has no answer.
            reference_key: What the samples depend on.
        """
        key = self._store.key(
            "verify",
            code=_code(),
            model=source.sha256,
            spec=source.spec,
            file=artifact.sha256,
            reference=reference_key,
            versions=(reference_name(), target.tool_versions(artifact.recipe)),
        )
        folder = self._folder(path.parent.name + "-verification")

        def make(folder: Path) -> None:
            wanted = reference()

            def reopen() -> Runner:
                return target.open(path, artifact.inputs, artifact.outputs)

            runner = reopen()
            try:
                found = verify(
                    runner,
                    reference_name(),
                    wanted,
                    source.spec,
                    artifact.precision,
                    self._progress,
                    reopen=reopen,
                    target=target.name,
                )
            finally:
                runner.close()
            (folder / "verification.json").write_bytes(msgspec.json.encode(found))

        self._store.fetch(key, folder, make)
        found = (folder / "verification.json").read_bytes()
        return msgspec.json.decode(found, type=Verification)

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir()
        return folder


def _may_refer_to_files(model: Path) -> bool:
    """Whether the ONNX file may keep tensors in other files, whose changes its hash can't tell."""
    return b"location" in model.read_bytes()


def _prepare(model: Path, overrides: Overrides, folder: Path) -> None:
    from mobileq.graph.prepare import prepare

    prepared = prepare(
        model,
        overrides.input_shapes,
        overrides.family,
        overrides.spec_file,
        overrides.labels,
    )
    spec, notices = prepared.spec, prepared.notices
    if spec.preprocess is None and (guess := guessed_preprocess(spec)):
        spec = msgspec.structs.replace(spec, preprocess=guess)
        notices += (
            "Pictures are fed as RGB, divided by 255, letterboxed, since the family is not known; "
            "say otherwise with --spec.",
        )
    (folder / "model.onnx").write_bytes(prepared.model.SerializeToString(deterministic=True))
    info = PreparedInfo(
        spec=spec, opset=prepared.opset, source_sha256=prepared.source_sha256, notices=notices
    )
    (folder / "prepared.json").write_bytes(msgspec.json.encode(info))


def _tensors(samples: SampleSet) -> Iterator[NDArray[Any]]:
    for sample in samples:
        yield sample.tensor


def reference_name() -> str:
    """The runtime every file is compared with, and its version."""
    return f"onnxruntime {version('onnxruntime')}"


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises UsageError where it cannot be read."""
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
        return digest(Path(labels))
    return labels


@functools.cache
def _code() -> str:
    """Hash of mobileq's own sources: what other code made is not reused."""
    package = Path(__file__).resolve().parents[1]
    hashed = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        hashed.update(path.relative_to(package).as_posix().encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()

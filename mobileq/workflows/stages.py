"""The stages of a conversion, each reused from the cache where its inputs have not changed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.cache import ResultCache
from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.verify import Verification, verify
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.hashing import file_digest
from mobileq.progress import Progress
from mobileq.quantize.given_plan import given_plan
from mobileq.quantize.plan import QuantPlan
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular, require_regular
from mobileq.spec import Artifact, HeadKind, ModelSpec, Precision, QuantRecipe, Spec, TensorSpec
from mobileq.targets.base import ConversionJob, LayerTarget, Reuse, Runner, Target, Tensors
from mobileq.workflows.opening import Overrides, prepared_by
from mobileq.workflows.quantization import Quantization, QuantOptions

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample, SampleSet
    from mobileq.evaluate.verify import ReferenceSample


class PreparedInfo(Spec, frozen=True, kw_only=True):
    """What is kept beside a prepared model."""

    spec: ModelSpec
    opset: int
    source_sha256: str
    notices: tuple[str, ...] = ()
    given: GivenQuantization | None = None
    set_inputs: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """The prepared model on disk: float32, static shapes, simplified.

    `quantized` is the model as it came, where it came quantized.
    """

    onnx: Path
    sha256: str
    info: PreparedInfo
    is_cut: bool = False
    """Whether it ends at the last convolutions, unlike the model that was given."""
    quantized: Path | None = None

    @property
    def spec(self) -> ModelSpec:
        """How to feed and read it."""
        return self.info.spec

    @property
    def head(self) -> HeadKind:
        """What it ends in."""
        return self.spec.decode.head if self.spec.decode else "decoded"


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
        """Load, fix shapes, simplify and recognise. Raises as `prepare`."""
        key = self._store.key(
            "prepare",
            code=_code(),
            model=file_digest(model),
            name=model.name,
            shapes=overrides.input_shapes,
            set_inputs=_digest_set_inputs(overrides.set_inputs),
            family=overrides.family,
            labels=_digest_labels(overrides.labels),
        )
        folder = self._folder("source")
        with self._progress.stage(f"Preparing {model.name}"):
            if overrides.spec_file or _may_refer_to_files(model):
                _prepare(model, overrides, folder)
            else:
                self._store.fetch(
                    key, folder, lambda into: _prepare(model, overrides, into), _read_source
                )
        source = _read_source(folder)
        if source.info.given:
            source = dataclasses.replace(source, quantized=folder / "quantized.onnx")
        return source

    def raw(self, source: Source) -> Source:
        """The model up to its last convolutions. Raises as `raw_head`."""
        key = self._store.key("raw", code=_code(), model=source.sha256, spec=source.spec)
        folder = self._folder("raw")
        with self._progress.stage("Cutting at the last convolutions"):
            self._store.fetch(key, folder, lambda into: _cut(source, into), _read_source)
        return dataclasses.replace(_read_source(folder), is_cut=True)

    def plan(
        self,
        source: Source,
        target: Target,
        recipe: QuantRecipe,
        options: QuantOptions,
        quantization: Quantization,
        inputs: str,
    ) -> tuple[QuantPlan, Source]:
        """Ranges and float ops of one integer file, and the model that it is made of, which may be
        repaired. Raises as `Quantization.plan`.

        Args:
            inputs: Fingerprint of the pictures that it depends on.
        """
        key = self._store.key(
            "plan",
            code=_code(),
            model=source.sha256,
            spec=source.spec,
            target=target.name,
            recipe=recipe,
            options=msgspec.to_builtins(options),
            inputs=inputs,
            versions=(reference_name(), target.tool_versions(recipe)),
        )
        folder = self._folder(f"plan-{target.name}-{recipe.precision}-{recipe.head}")

        def make(folder: Path) -> None:
            plan, onnx = quantization.plan(target, recipe, options)
            (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
            shutil.copyfile(onnx, folder / "model.onnx")

        def read(folder: Path) -> tuple[QuantPlan, Source]:
            plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=QuantPlan)
            onnx = folder / "model.onnx"
            return plan, dataclasses.replace(source, onnx=onnx, sha256=file_digest(onnx))

        self._store.fetch(key, folder, make, read)
        return read(folder)

    def workspace(self, sha256: str) -> Path:
        """A folder that all conversions of the model with this hash share."""
        folder = self._scratch / sha256[:16]
        folder.mkdir(exist_ok=True)
        return folder

    def reuse(self, sha256: str, spec: ModelSpec, target: Target, recipe: QuantRecipe) -> Reuse:
        """What all conversions of the model with this hash by one engine share, also those of
        other runs. See `ConversionJob.reuse`."""

        def fetch(name: str, folder: Path, make: Callable[[Path], None]) -> None:
            key = self._store.key(
                "base",
                code=_code(),
                name=name,
                model=sha256,
                spec=spec,
                target=target.name,
                versions=target.tool_versions(recipe),
            )
            self._store.fetch(key, folder, make)

        return fetch

    def plan_given(self, source: Source, patterns: tuple[str, ...]) -> QuantPlan | None:
        """Of the scales that the model came with; None where it came with none."""
        if source.info.given is None:
            return None
        import onnx

        return given_plan(onnx.load(source.onnx), source.info.given, patterns)

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
            given=source.info.given,
            samples=samples.fingerprint() if samples else None,
            versions=versions,
        )
        folder = self._folder(f"{target.name}-{recipe.engine}-{recipe.precision}-{source.head}")
        path = folder / artifact_file(source.spec, recipe.precision, target.suffix)

        def make(folder: Path) -> None:
            job = ConversionJob(
                model=source.onnx,
                spec=source.spec,
                recipe=recipe,
                ranges=plan.ranges if plan else {},
                keep_float=plan.float_tensors if plan else (),
                samples=(lambda: _feeds(samples)) if samples else None,
                sample_count=len(samples) if samples else 0,
                output=path,
                scratch=self.workspace(source.sha256),
                progress=self._progress,
                given=source.info.given,
                reuse=self.reuse(source.sha256, source.spec, target, recipe),
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

        def read(folder: Path) -> _Built:
            require_regular(folder / path.name)
            return msgspec.json.decode((folder / "built.json").read_bytes(), type=_Built)

        self._store.fetch(key, folder, make, read)
        built = read(folder)
        artifact = Artifact(
            target=target.name,
            precision=recipe.precision,
            path=f"models/{path.name}",
            sha256=file_digest(path),
            size_bytes=path.stat().st_size,
            inputs=built.inputs,
            outputs=built.outputs,
            recipe=recipe,
            decode=source.spec.decode if source.is_cut else None,
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
        other_order: Callable[[], Runner],
    ) -> Verification:
        """Load the file, run it, compare it. Raises where it does not load or run.

        Args:
            reference: Gives what to compare with; called only where the cache has no answer.
            reference_key: What the samples depend on.
            other_order: See `verify`.
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
            ranked = _ranked(source.onnx)

            def reopen() -> Runner:
                return target.open(path, artifact.inputs, artifact.outputs, disturbed=True)

            runner = target.open(path, artifact.inputs, artifact.outputs)
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
                    other_order=other_order,
                    ranked=ranked,
                )
            finally:
                runner.close()
            (folder / "verification.json").write_bytes(msgspec.json.encode(found))

        def read(folder: Path) -> Verification:
            found = (folder / "verification.json").read_bytes()
            return msgspec.json.decode(found, type=Verification)

        self._store.fetch(key, folder, make, read)
        return read(folder)

    def layers(
        self,
        source: Source,
        target: Target,
        artifact: Artifact,
        path: Path,
        samples: Callable[[], Iterable[Sample]],
        samples_key: str,
    ) -> tuple[LayerNoise, ...]:
        """Where along the network the file's numbers leave the float model's.

        Nothing where the target can't look into its files. Arguments as of `verify`.
        """
        if not isinstance(target, LayerTarget):
            return ()
        key = self._store.key(
            "layers",
            code=_code(),
            model=source.sha256,
            file=artifact.sha256,
            samples=samples_key,
            versions=(reference_name(), target.tool_versions(artifact.recipe)),
        )
        folder = self._folder(path.parent.name + "-layers")

        def make(folder: Path) -> None:
            found = _compared(source, target, artifact, path, samples())
            (folder / "layers.json").write_bytes(msgspec.json.encode(found))

        def read(folder: Path) -> tuple[LayerNoise, ...]:
            found = (folder / "layers.json").read_bytes()
            return msgspec.json.decode(found, type=tuple[LayerNoise, ...])

        with self._progress.stage("Comparing layer by layer"):
            self._store.fetch(key, folder, make, read)
        return read(folder)

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir()
        return folder


def artifact_file(spec: ModelSpec, precision: Precision, suffix: str) -> str:
    """Name of a converted file."""
    return f"{spec.name}-{precision}{suffix}"


def _ranked(model: Path) -> dict[str, int]:
    import onnx

    from mobileq.graph.ranked import ranked_outputs

    return ranked_outputs(onnx.load(model))


def _compared(
    source: Source,
    target: LayerTarget,
    artifact: Artifact,
    path: Path,
    samples: Iterable[Sample],
) -> tuple[LayerNoise, ...]:
    import onnx

    from mobileq.evaluate.layers import layer_noise, tensor_names, with_outputs
    from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

    model = onnx.load(source.onnx)
    with closing(target.open_layers(path, artifact.inputs, tensor_names(model))) as candidate:
        opened = with_outputs(model, (spec.name for spec in candidate.outputs))
        with closing(OnnxRuntimeRunner(opened, source.spec.inputs, candidate.outputs)) as reference:
            return layer_noise(model, reference, candidate, samples)


def _may_refer_to_files(model: Path) -> bool:
    """Whether the ONNX file may keep tensors in other files, whose changes its hash can't tell."""
    return b"location" in read_regular(model, MAX_MODEL_BYTES, "a model")


def _prepare(model: Path, overrides: Overrides, folder: Path) -> None:
    prepared = prepared_by(model, overrides, folder)
    info = PreparedInfo(
        spec=prepared.spec,
        opset=prepared.opset,
        source_sha256=prepared.source_sha256,
        notices=prepared.notices,
        given=prepared.given,
        set_inputs=prepared.set_inputs,
    )
    (folder / "prepared.json").write_bytes(msgspec.json.encode(info))


def _cut(source: Source, folder: Path) -> None:
    import onnx

    from mobileq.tasks.detect.raw_head import raw_head

    model, spec = raw_head(onnx.load(source.onnx), source.spec)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    info = msgspec.structs.replace(source.info, spec=spec, notices=())
    (folder / "prepared.json").write_bytes(msgspec.json.encode(info))


def _read_source(folder: Path) -> Source:
    onnx = folder / "model.onnx"
    info = msgspec.json.decode((folder / "prepared.json").read_bytes(), type=PreparedInfo)
    return Source(onnx, file_digest(onnx), info)


def _feeds(samples: SampleSet) -> Iterator[Tensors]:
    for sample in samples:
        yield sample.feeds


def reference_name() -> str:
    """The runtime every file is compared with, and its version."""
    return f"onnxruntime {version('onnxruntime')}"


def _digest_labels(labels: str | None) -> str | None:
    """Hash of a label file; the name itself of a set that is built in."""
    if labels and Path(labels).is_file():
        return file_digest(Path(labels))
    return labels


def _digest_set_inputs(options: tuple[str, ...]) -> list[tuple[str, str, tuple[int, ...], str]]:
    """What the options say, and not the files in which they say it."""
    from mobileq.graph.set_inputs import parse_set_inputs

    return [
        (name, array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest())
        for name, array in parse_set_inputs(options).items()
    ]


@functools.cache
def _code() -> str:
    """Hash of mobileq's own sources: what other code made is not reused."""
    package = Path(__file__).resolve().parents[1]
    hashed = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        hashed.update(path.relative_to(package).as_posix().encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()

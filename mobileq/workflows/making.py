"""Files are made here, all of them: final ones, those that are only tried, and their float base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.hashing import file_digest
from mobileq.progress import Progress
from mobileq.quantize.plan import QuantPlan
from mobileq.regular_file import require_regular
from mobileq.spec import Artifact, ModelSpec, Precision, QuantRecipe, Spec, TensorSpec, readings
from mobileq.targets.base import ConversionJob, Converted, Target, Tensors
from mobileq.workflows.source import Source
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet


@dataclass(frozen=True)
class Made:
    """One file, ready to be run."""

    artifact: Artifact
    path: Path
    companions: tuple[str, ...]
    """What else belongs into the bundle, by its path there and in the folder of `path`."""

    def with_note(self, note: str) -> Made:
        """One note more."""
        notes = (*self.artifact.notes, note)
        return replace(self, artifact=msgspec.structs.replace(self.artifact, notes=notes))


class _Built(Spec, frozen=True, kw_only=True):
    """What is kept beside a converted file."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    notes: tuple[str, ...]
    companions: tuple[str, ...] = ()


def make_file(
    stages: Stages,
    source: Source,
    target: Target,
    recipe: QuantRecipe,
    plan: QuantPlan | None,
    samples: SampleSet | None,
) -> Made:
    """One file in one precision; `plan` and `samples` only where the recipe needs them.

    Raises:
        As `Target.convert`.
    """
    folder = stages.folder(f"{target.name}-{recipe.engine}-{recipe.precision}-{source.head}")
    path = folder / artifact_file(source.spec, recipe.precision, target.info.suffix_of(recipe))

    def make(folder: Path) -> None:
        done = write_file(stages, source, target, recipe, path, plan, samples, stages.progress)
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

    stages.fill(
        folder,
        "convert",
        make,
        read,
        model=source.sha256,
        spec=source.spec,
        target=target.name,
        recipe=recipe,
        plan=plan,
        given=source.info.given,
        samples=samples.fingerprint() if samples else None,
        versions=target.tool_versions(recipe),
    )
    built = read(folder)
    return Made(_artifact(source, target, recipe, path, built), path, built.companions)


def _artifact(
    source: Source, target: Target, recipe: QuantRecipe, path: Path, built: _Built
) -> Artifact:
    artifact = Artifact(
        target=target.name,
        precision=recipe.precision,
        path=f"models/{path.name}",
        sha256=file_digest(path),
        size_bytes=path.stat().st_size,
        inputs=built.inputs,
        outputs=built.outputs,
        recipe=recipe,
        ops=built.ops,
        tool_versions=target.tool_versions(recipe),
        notes=built.notes,
    )
    if not source.is_cut:
        return artifact
    return msgspec.structs.replace(artifact, **readings(source.spec))


def write_file(
    stages: Stages,
    source: Source,
    target: Target,
    recipe: QuantRecipe,
    output: Path,
    plan: QuantPlan | None,
    samples: SampleSet | None,
    progress: Progress,
) -> Converted:
    """Have the target write `output`; what it shares with other files of the model is kept.

    Raises:
        As `Target.convert`.
    """

    def reuse(name: str, folder: Path, make: Callable[[Path], None]) -> None:
        stages.fill(
            folder,
            "base",
            make,
            name=name,
            model=source.sha256,
            spec=source.spec,
            target=target.name,
            versions=target.tool_versions(recipe),
        )

    job = ConversionJob(
        model=source.onnx,
        spec=source.spec,
        recipe=recipe,
        ranges=plan.ranges if plan else {},
        keep_float=plan.float_tensors if plan else (),
        samples=(lambda: _feeds(samples)) if samples else None,
        sample_count=len(samples) if samples else 0,
        output=output,
        scratch=stages.workspace(source.sha256),
        progress=progress,
        given=source.info.given,
        reuse=reuse,
    )
    return target.convert(job)


def artifact_file(spec: ModelSpec, precision: Precision, suffix: str) -> str:
    """Name of a converted file."""
    return f"{spec.name}-{precision}{suffix}"


def _feeds(samples: SampleSet) -> Iterator[Tensors]:
    for sample in samples:
        yield sample.feeds

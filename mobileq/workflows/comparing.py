"""Converted files are run and held against ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.verify import Verification, run_reference, verify
from mobileq.graph.outline import DYNAMIC
from mobileq.hashing import file_digest
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, Precision, TensorSpec
from mobileq.targets.base import LayerTarget, Runner, Target
from mobileq.targets.reference import ReferenceRunner, reference_name
from mobileq.workflows.inputs import VERIFY_COUNT, verification_count, verification_samples
from mobileq.workflows.making import Made
from mobileq.workflows.probes import probe_samples
from mobileq.workflows.source import Source
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample, SampleSet
    from mobileq.evaluate.verify import ReferenceSample

LAYER_COUNT = 1
"""How many of them the layers of a file are compared on: a tensor has thousands of values in each,
and yolov5n's take a second of processor time."""
BASE_COUNT = 3
_VALUES_AT_A_TIME = 1 << 25
"""Of tensors inside of a file that are compared: 128 MiB, and as much of the float model's."""


class Comparer:
    """Runs files on the same samples as ONNX Runtime, which runs there once.

    Args:
        samples: Of --calib; None for drawn ones.
        seed: Of what is drawn.
    """

    def __init__(self, stages: Stages, samples: SampleSet | None, seed: int) -> None:
        self._stages, self._samples, self._seed = stages, samples, seed
        self._references: dict[Path, list[ReferenceSample]] = {}
        self._known_probes: dict[Path, list[ReferenceSample]] = {}

    def verification(
        self, source: Source, target: Target, made: Made, *, is_base: bool = False
    ) -> Verification:
        """What the comparison gave. Raises where the file does not load or run.

        Args:
            is_base: Others are made of it, which are compared for themselves, and nobody gets it.
                A wrong conversion shows on `BASE_COUNT` pictures, and on those that are no photos;
                whether it repeats itself is asked of what is made of it.
        """
        reference = _reference_model(source, made.artifact.precision)
        folder = self._stages.folder(made.path.parent.name + "-verification")

        def make(folder: Path) -> None:
            found = self._verified(source, target, made, reference, is_base)
            (folder / "verification.json").write_bytes(msgspec.json.encode(found))

        def read(folder: Path) -> Verification:
            found = (folder / "verification.json").read_bytes()
            return msgspec.json.decode(found, type=Verification)

        self._stages.fill(
            folder,
            "verify",
            make,
            read,
            model=source.sha256,
            spec=source.spec,
            file=made.artifact.sha256,
            reference=f"{file_digest(reference)}, {self._reference_key()}",
            is_base=is_base,
            versions=(reference_name(), target.tool_versions(made.artifact.recipe)),
        )
        return read(folder)

    def layers(
        self, source: Source, target: Target, made: Made, made_of: Source
    ) -> tuple[LayerNoise, ...]:
        """Where along the network an int8 file's numbers leave the float model's; nothing where
        the target can't look into its files.

        Args:
            made_of: `source`, or its repaired model: tensors inside of that have other scales.
        """
        precisions = ("int8", "int8-full")
        if made.artifact.precision not in precisions or not isinstance(target, LayerTarget):
            return ()
        folder = self._stages.folder(made.path.parent.name + "-layers")

        def make(folder: Path) -> None:
            samples = self._reference_samples(source, source.onnx)[:LAYER_COUNT]
            found = _layer_noise(made_of, target, made, [each.sample for each in samples])
            (folder / "layers.json").write_bytes(msgspec.json.encode(found))

        def read(folder: Path) -> tuple[LayerNoise, ...]:
            found = (folder / "layers.json").read_bytes()
            return msgspec.json.decode(found, type=tuple[LayerNoise, ...])

        with self._stages.progress.stage("Comparing layer by layer"):
            self._stages.fill(
                folder,
                "layers",
                make,
                read,
                model=made_of.sha256,
                file=made.artifact.sha256,
                samples=f"{self._reference_key()}, first {LAYER_COUNT}",
                versions=(reference_name(), target.tool_versions(made.artifact.recipe)),
            )
        return read(folder)

    def _verified(
        self, source: Source, target: Target, made: Made, reference: Path, is_base: bool
    ) -> Verification:
        spec, artifact = source.spec, made.artifact
        wanted = self._reference_samples(source, reference)
        if is_base:
            wanted = wanted[:BASE_COUNT]
        precision = target.info.precision(artifact.precision)
        if precision.tolerance is not None:
            # Integer files have ranges for what is typical; of other inputs they may make anything.
            wanted = [*wanted, *self._probes(source, reference)]
        ranked, sigmoids = _ends(source.onnx)

        def reopen() -> Runner:
            return target.open(made.path, artifact.inputs, artifact.outputs, disturbed=True)

        def other_order() -> Runner:
            return ReferenceRunner(reference, spec.inputs, spec.outputs, optimized=False)

        with closing(target.open(made.path, artifact.inputs, artifact.outputs)) as runner:
            return verify(
                runner,
                reference_name(),
                wanted,
                spec,
                precision,
                self._stages.progress,
                reopen=None if is_base else reopen,
                other_order=other_order,
                ranked=ranked,
                sigmoids=sigmoids,
            )

    def _reference_key(self) -> str:
        chosen = self._samples.fingerprint() if self._samples else f"drawn, {self._seed}"
        return f"{chosen}, first {VERIFY_COUNT}"

    def _reference_samples(self, source: Source, model: Path) -> list[ReferenceSample]:
        if model not in self._references:
            spec = source.spec
            runner = ReferenceRunner(model, spec.inputs, spec.outputs)
            feeds = verification_samples(spec, self._samples, VERIFY_COUNT, self._seed, model)
            count = verification_count(self._samples, VERIFY_COUNT)
            self._references[model] = run_reference(
                runner, spec, feeds, self._stages.progress, count
            )
            runner.close()
        return self._references[model]

    def _probes(self, source: Source, model: Path) -> list[ReferenceSample]:
        if model not in self._known_probes:
            spec = source.spec
            found = self._known_probes[model] = []
            with closing(ReferenceRunner(model, spec.inputs, spec.outputs)) as runner:
                for sample in probe_samples(spec, self._seed, model):
                    # What the model itself can't take is no probe of its files; ONNX Runtime 1.26
                    # raises a dozen exception types without a common base.
                    with suppress(Exception):
                        ran = run_reference(runner, spec, [sample], Silent())
                        found += [
                            replace(each, is_probe=True)
                            for each in ran
                            if _is_as_declared(spec, each)
                        ]
        return self._known_probes[model]


def _is_as_declared(spec: ModelSpec, ran: ReferenceSample) -> bool:
    """Whether the model gives the shapes that it declares. Of scores below 0, which no detector
    has, a NonMaxSuppression finds fewer rows than a model that gives all of them says it does."""
    given = ((output.shape, ran.outputs[output.name].shape) for output in spec.outputs)
    return all(
        len(declared) == len(shape)
        and all(length in (DYNAMIC, n) for length, n in zip(declared, shape, strict=True))
        for declared, shape in given
    )


def _ends(path: Path) -> tuple[dict[str, int], set[str]]:
    """The axis of each output whose rows are ranked, and the outputs that a sigmoid gives."""
    import onnx

    from mobileq.graph.index import GraphIndex
    from mobileq.graph.outputs import is_sigmoid
    from mobileq.graph.ranked import ranked_outputs

    model = onnx.load(path)
    index = GraphIndex(model)
    names = (output.name for output in model.graph.output)
    return ranked_outputs(model), {name for name in names if is_sigmoid(index, name)}


def _layer_noise(
    source: Source, target: LayerTarget, made: Made, samples: Sequence[Sample]
) -> tuple[LayerNoise, ...]:
    import onnx

    from mobileq.evaluate.layers import InnerTensor, inner_noise, layer_noise
    from mobileq.graph.outline import with_outputs
    from mobileq.graph.shapes import inner_tensors

    model, inputs = onnx.load(source.onnx), source.spec.inputs
    found: dict[str, InnerTensor] = {}
    for part in _parts(inner_tensors(model)):
        with closing(target.open_layers(made.path, made.artifact.inputs, part, model)) as candidate:
            if candidate.outputs:
                opened = with_outputs(model, (spec.name for spec in candidate.outputs))
                with closing(ReferenceRunner(opened, inputs, candidate.outputs)) as reference:
                    found |= inner_noise(reference, candidate, samples)
    return layer_noise(model, found)


def _parts(tensors: Iterable[TensorSpec]) -> Iterator[list[TensorSpec]]:
    """In pieces whose values are in memory at a time."""
    part: list[TensorSpec] = []
    held = 0
    for tensor in tensors:
        count = math.prod(tensor.shape)
        if part and held + count > _VALUES_AT_A_TIME:
            yield part
            part, held = [], 0
        part.append(tensor)
        held += count
    if part:
        yield part


def _reference_model(source: Source, precision: Precision) -> Path:
    """int8 of a model that came quantized is to be what that model is."""
    whole = precision in ("int8", "int8-full")
    return source.quantized if source.quantized and whole else source.onnx

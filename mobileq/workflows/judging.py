"""Whether a converted file is good enough, and what a person is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.errors import VerificationError
from mobileq.evaluate.floors import is_grey
from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.numeric import TOLERANCES
from mobileq.evaluate.verify import Verification, run_reference
from mobileq.hashing import file_digest
from mobileq.progress import Progress, Silent
from mobileq.spec import Artifact, Precision, QuantRecipe
from mobileq.targets.base import Target
from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner
from mobileq.tasks.base import COUNT, Measure, figure
from mobileq.workflows.inputs import verification_count, verification_samples
from mobileq.workflows.probes import probe_samples
from mobileq.workflows.stages import Source, Stages

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample, SampleSet
    from mobileq.evaluate.verify import ReferenceSample

VERIFY_COUNT = 8
"""How many pictures every file is run on before the command succeeds."""
LAYER_COUNT = 2
"""How many of them the layers of a file are compared on: all tensors of one are in memory."""
LOST_AGREEMENT = 0.5
"""Below this the person is told that a precision costs more than it is worth."""
_GENTLER: dict[Precision, Precision] = {
    "int8-full": "int8",
    "int16x8": "fp16",
    "dynamic": "fp16",
    "w8": "fp16",
    "fp16": "fp32",
}


class Judge:
    """Holds files against ONNX Runtime on the same samples, which run there once.

    Args:
        samples: Of --calib; None for drawn ones.
        seed: Of what is drawn.
        measure: The task's.
    """

    def __init__(
        self,
        stages: Stages,
        samples: SampleSet | None,
        seed: int,
        progress: Progress,
        measure: Measure | None,
    ) -> None:
        self._stages, self._samples, self._seed = stages, samples, seed
        self._progress, self._measure = progress, measure
        self._is_empty_noted = False
        self._references: dict[Path, list[ReferenceSample]] = {}
        self._known_probes: dict[Path, list[ReferenceSample]] = {}

    def compared(
        self, source: Source, target: Target, artifact: Artifact, path: Path
    ) -> Verification:
        """What the comparison gave. Raises where the file does not load or run."""
        reference = _reference_model(source, artifact.precision)
        # Integer files have ranges for what is typical; of other inputs they may make anything.
        is_probed = artifact.precision in TOLERANCES
        return self._stages.verify(
            source,
            target,
            artifact,
            path,
            lambda: [
                *self._reference_samples(source, reference),
                *(self._probes(source, reference) if is_probed else ()),
            ],
            f"{file_digest(reference)}, {self._reference_key()}",
            lambda: OnnxRuntimeRunner(
                reference, source.spec.inputs, source.spec.outputs, optimized=False
            ),
        )

    def require_right(self, target: Target, artifact: Artifact, found: Verification) -> None:
        """Raises VerificationError where the file is wrong."""
        if found.problems:
            name = artifact.path.rpartition("/")[2]
            hint = _sentence(remedy(target.name, artifact.recipe))
            if found.tolerance is not None:
                engines = (
                    "Try the other --engine, or report" if len(target.engines) > 1 else "Report"
                )
                hint = f"{engines} the model."
            raise VerificationError(
                f"{name} does not agree with the ONNX model: {found.problems[0]}.", hint
            )

    def tell(self, target: Target, recipe: QuantRecipe, name: str, found: Verification) -> None:
        """What a person should know of a comparison that failed nowhere."""
        if found.rounding:
            self._progress.notice(
                "The model magnifies rounding, as untrained weights do: with sums in another order "
                "ONNX Runtime itself gives other numbers, off by up to "
                f"{max(0.0, *found.rounding.values()):.2g} of an output's range, and {name} is "
                "allowed a multiple of that."
            )
        measure = self._measure
        if found.agreement and measure:
            agreed = measure.value(found.agreement)
            if not figure(found.agreement, COUNT):
                self._note_empty(measure)
            elif agreed < LOST_AGREEMENT:
                self._progress.notice(
                    f"{name} {measure.little} (agreement {agreed:.2f}): "
                    f"don't ship it; {remedy(target.name, recipe)}."
                )
        if is_grey(recipe.precision, found.roles or found.outputs, found.agreement):
            self._progress.notice(
                f"{name} has only {found.worst_sqnr_db:.1f} dB SQNR in its worst output: "
                f"look at what it gives before you ship it, or {remedy(target.name, recipe)}."
            )

    def _note_empty(self, measure: Measure) -> None:
        """Once, and not of drawn pictures, which are noted as such."""
        if self._samples is not None and not self._is_empty_noted:
            self._is_empty_noted = True
            self._progress.notice(
                f"The ONNX model {measure.nothing} in the pictures that files are compared on: "
                f"their agreement says nothing; give --calib {measure.wanted}."
            )

    def layers(
        self, source: Source, target: Target, artifact: Artifact, path: Path
    ) -> tuple[LayerNoise, ...]:
        """Of files whose ranges are not ours: why they are as they are."""
        if artifact.recipe.mnn_method is None:
            return ()

        def samples() -> Iterator[Sample]:
            for each in self._reference_samples(source, source.onnx)[:LAYER_COUNT]:
                yield each.sample

        key = f"{self._reference_key()}, first {LAYER_COUNT}"
        return self._stages.layers(source, target, artifact, path, samples, key)

    def _reference_key(self) -> str:
        chosen = self._samples.fingerprint() if self._samples else f"drawn, {self._seed}"
        return f"{chosen}, first {VERIFY_COUNT}"

    def _reference_samples(self, source: Source, model: Path) -> list[ReferenceSample]:
        if model not in self._references:
            spec = source.spec
            runner = OnnxRuntimeRunner(model, spec.inputs, spec.outputs)
            feeds = verification_samples(spec, self._samples, VERIFY_COUNT, self._seed, model)
            count = verification_count(self._samples, VERIFY_COUNT)
            self._references[model] = run_reference(runner, spec, feeds, self._progress, count)
            runner.close()
        return self._references[model]

    def _probes(self, source: Source, model: Path) -> list[ReferenceSample]:
        if model not in self._known_probes:
            spec = source.spec
            runner = OnnxRuntimeRunner(model, spec.inputs, spec.outputs)
            found = self._known_probes[model] = []
            for sample in probe_samples(spec, self._seed, model):
                # What the model itself can't take is no probe of its files; ONNX Runtime 1.26
                # raises a dozen exception types without a common base.
                with suppress(Exception):
                    found += run_reference(runner, spec, [sample], Silent())
            runner.close()
        return self._known_probes[model]


def remedy(target: str, recipe: QuantRecipe) -> str:
    """What to try where a file finds little."""
    if recipe.mnn_method is not None:
        return "use --mnn-method mobileq"
    if recipe.precision == "int8":
        smaller = "w8" if target == "mnn" else "dynamic"
        return f"keep sensitive ops in float with --keep-float, or use {smaller}"
    if recipe.precision == "fp32":
        return "use another --target"
    return f"use {_GENTLER[recipe.precision]}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _reference_model(source: Source, precision: Precision) -> Path:
    """int8 of a model that came quantized is to be what that model is."""
    whole = precision in ("int8", "int8-full")
    return source.quantized if source.quantized and whole else source.onnx

"""One run of `convert`: which files are made, by which engine, and of what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from mobileq.errors import (
    MissingDependencyError,
    ToolError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.evaluate.layers import LayerNoise, told
from mobileq.evaluate.report import BudgetReport
from mobileq.evaluate.verify import Verification
from mobileq.manifest import Failure
from mobileq.progress import Progress
from mobileq.quantize.plan import QuantPlan
from mobileq.spec import CALIBRATED, Artifact, Engine, QuantRecipe
from mobileq.targets.base import Target
from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner
from mobileq.tasks.base import COUNT, Truth, task_of
from mobileq.workflows.decision import Decision, Pictures, split_labelled
from mobileq.workflows.failures import Attempt, Failures, require_disk_space
from mobileq.workflows.inputs import open_calibration, takes_pictures, wanted_tensors
from mobileq.workflows.judging import VERIFY_COUNT, Judge
from mobileq.workflows.quantization import Quantization, check_keep_float, unlabelled
from mobileq.workflows.request import File, Head, Request
from mobileq.workflows.stages import Source, Stages, artifact_file

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet


@dataclass(frozen=True)
class Result:
    """One file that was converted and compared."""

    artifact: Artifact
    path: Path
    verification: Verification
    plan: QuantPlan | None = None
    companions: tuple[str, ...] = ()
    """What else belongs into the bundle, by its path there and in the folder of `path`."""
    layers: tuple[LayerNoise, ...] = ()


@dataclass(frozen=True)
class Results:
    """All files of a run that are right, and what is said of the others."""

    source: Source
    samples: SampleSet | None
    files: list[Result]
    budgets: dict[str, BudgetReport]
    failures: tuple[Failure, ...]


class Conversion:
    """One run: which files are made, by which engine, and whether they are good enough."""

    def __init__(
        self,
        model: Path,
        request: Request,
        stages: Stages,
        progress: Progress,
    ) -> None:
        self._request, self._stages, self._progress = request, stages, progress
        self._options = request.options
        self._source = stages.prepare(model, request.overrides)
        request.require_ranges(
            has_scales=self._source.info.given is not None, spec=self._source.spec
        )
        for notice in self._source.info.notices:
            progress.notice(notice)
        self._raw: Source | None = None
        self._check_keep_float()
        self._task = task_of(self._source.spec)
        self._truth = self._open_truth()
        self._samples = self._open_samples()
        self._judge = Judge(
            stages, self._samples, request.options.seed, progress, self._task.measure
        )
        self._failures = Failures(request.options.strict)
        self._float_files: dict[tuple[str, str, Engine], Result | Exception] = {}
        self._quantizations: dict[str, Quantization] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for target in self._request.targets.values():
            target.close()

    def run(self) -> Results:
        """All files of all targets that can be made right. Where none can, the first one's error
        is raised; with `--strict` that of the first which can't."""
        files: list[Result] = []
        budgets: dict[str, BudgetReport] = {}
        for file in self._request.files:
            with self._failures.of(self._attempt(file)):
                result = self._result(file)
                if result.plan is not None and result.plan.budget_met is not None:
                    budgets[result.artifact.name] = self._budget_report(file, result)
                files.append(result)
        if not files:
            self._failures.raise_first()
        return Results(self._source, self._samples, files, budgets, tuple(self._failures.found))

    def _attempt(self, file: File) -> Attempt:
        name, precision = file
        suffix = self._request.targets[name].suffix
        return Attempt(name, precision, artifact_file(self._source.spec, precision, suffix))

    def _check_keep_float(self) -> None:
        """A pattern that matches nothing, or can't be obeyed, is found out before anything is
        made."""
        import onnx

        for file in self._request.files:
            options = self._request.quantization(file)
            if file[1] == "int8-full" and options.keep_float:
                raise UsageError(
                    "int8-full has integer ops only, and --keep-float can't be obeyed.",
                    "Use int8, or leave out --keep-float.",
                )
            if file[1] in CALIBRATED and options.keep_float:
                model = onnx.load(self._source_for(file).onnx)
                check_keep_float(model, file[1], options)

    def _open_samples(self) -> SampleSet | None:
        options = self._options
        if options.calib is not None:
            return open_calibration(
                self._source.spec, options.calib, options.calib_count, options.seed, self._progress
            )
        spec = self._source.spec
        drawn, wanted = "pictures", "photos"
        if not takes_pictures(spec):
            drawn, wanted = "tensors", f"samples ({wanted_tensors(spec)})"
        self._progress.notice(
            f"Without --calib the files are verified on drawn {drawn} only; give some typical "
            f"{wanted} for a better check."
        )
        return None

    def _open_truth(self) -> Truth | None:
        options = self._options
        if options.annotations is None:
            return None
        truth = self._task.truth(options.annotations, options.eval_images)
        for notice in truth.notices:
            self._progress.notice(notice)
        return truth

    @cached_property
    def _pictures(self) -> tuple[Pictures, Pictures | None]:
        """To decide on, and to report on; None: the verification's own."""
        if self._truth is not None:
            return split_labelled(self._truth)
        assert self._samples is not None
        if len(self._samples) < 2 * VERIFY_COUNT:
            self._progress.notice(
                f"Fewer than {2 * VERIFY_COUNT} pictures in --calib tell little, and results are "
                "reported on the same that decide: give some dozens."
            )
        return unlabelled(self._samples, VERIFY_COUNT), None

    def _source_for(self, file: File) -> Source:
        """With the head that the file gets."""
        head = self._request.head(file)
        if self._source.info.given is not None:
            return self._given_source(head)
        is_detector = self._source.spec.decode is not None
        wants_raw = head == "raw" or (head == "auto" and is_detector and file[1] in CALIBRATED)
        if not wants_raw or self._source.head == "raw":
            return self._source
        if self._raw is None:
            try:
                self._raw = self._stages.raw(self._source)
            except UsageError as error:
                if head == "raw":
                    raise
                self._progress.notice(f"{error.message} The decoding stays in the graph, in float.")
                self._raw = self._source
        return self._raw

    def _given_source(self, head: Head) -> Source:
        if head == "raw" and self._source.head != "raw":
            raise UsageError(
                "The model came quantized, decoding and all, and is kept as it is.",
                "Leave out --head, or export it with a raw head.",
            )
        return self._source

    def _float_file(self, target: Target, source: Source, engine: Engine) -> Result:
        """The others are made from it, by the engine that got it right; where none did, they
        fail for the same reason."""
        key = target.name, source.sha256, engine
        if key not in self._float_files:
            try:
                self._float_files[key] = self._float_with_fallback(target, source, engine)
            except Exception as error:
                self._float_files[key] = error
        known = self._float_files[key]
        if isinstance(known, Exception):
            raise known
        return known

    def _float_with_fallback(self, target: Target, source: Source, engine: Engine) -> Result:
        try:
            return self._made(
                target, source, self._request.recipe((target.name, "fp32"), source.head, engine)
            )
        except (VerificationError, ToolError) as error:
            other = engine == "direct" and "tensorflow" in target.engines
            # Another engine makes another file than the one that a recipe is of.
            if not other or self._request.is_settled(target.name):
                raise
            first = error
        require_disk_space()
        unheeded = ", ".join(self._request.own_options())
        also = f" and knows nothing of {unheeded}" if unheeded else ""
        self._progress.notice(
            f"The direct engine failed ({first.message.rstrip('.')}); trying the engine "
            f"`tensorflow`, which takes minutes{also}."
        )
        try:
            return self._float_file(target, source, "tensorflow")
        except MissingDependencyError as second:
            raise first from second
        except (VerificationError, ToolError) as second:
            # Which operator is at fault says more than what TensorFlow makes of it.
            if isinstance(first, UnsupportedOperatorError):
                raise first from second
            raise

    def _result(self, file: File) -> Result:
        """Convert, load, run and compare. Raises VerificationError where a float file differs."""
        target = self._request.targets[file[0]]
        source = self._source_for(file)
        float_file = self._float_file(target, source, self._request.engine(file))
        if file[1] == "fp32":
            return float_file
        recipe = self._request.recipe(file, source.head, float_file.artifact.recipe.engine)
        plan, made_of = None, source
        if self._is_planned(recipe):
            with self._failures.at("quantize"):
                plan, made_of = self._plan(file, source, recipe)
            recipe = msgspec.structs.replace(
                recipe,
                calibrator=plan.calibrator,
                keep_float=plan.keep_float,
                repairs=plan.repairs,
            )
        return self._made(target, source, recipe, plan, made_of)

    def _made(
        self,
        target: Target,
        source: Source,
        recipe: QuantRecipe,
        plan: QuantPlan | None = None,
        made_of: Source | None = None,
    ) -> Result:
        """Args: made_of: The repaired model; what comes out is held against `source`."""
        samples = self._samples if recipe.precision in CALIBRATED else None
        artifact, path, companions = self._stages.convert(
            made_of or source, target, recipe, plan, samples
        )
        with self._failures.at("run"):
            found = self._judge.compared(source, target, artifact, path)
        with self._failures.at("compare"):
            self._judge.require_right(target, artifact, found)
        layers = self._judge.layers(source, target, artifact, path)
        if layers:
            artifact = msgspec.structs.replace(artifact, notes=(*artifact.notes, told(layers)))
        for note in artifact.notes:
            self._progress.notice(note)
        self._judge.tell(target, recipe, path.name, found)
        return Result(artifact, path, found, plan, companions, layers)

    def _is_planned(self, recipe: QuantRecipe) -> bool:
        """TensorFlow's converter and MNN's own quantizer calibrate by themselves."""
        own = recipe.mnn_method is not None
        return recipe.precision in CALIBRATED and recipe.engine == "direct" and not own

    def _explain_given(self, plan: QuantPlan, patterns: tuple[str, ...]) -> None:
        if self._samples is not None:
            self._progress.notice(
                "The model has its own scales: the pictures of --calib are used to verify only."
            )
        if plan.keep_float and not patterns:
            self._progress.notice(
                f"{len(plan.keep_float)} ops stay float, since the model has no scales for them."
            )

    def _plan(self, file: File, source: Source, recipe: QuantRecipe) -> tuple[QuantPlan, Source]:
        options = self._request.quantization(file)
        given = self._stages.plan_given(source, options.keep_float)
        if given is not None:
            self._explain_given(given, options.keep_float)
            return given, source
        assert self._samples is not None
        decide, _ = self._pictures
        inputs = f"{self._samples.fingerprint()} {decide.fingerprint()}"
        quantization = self._quantization(source)
        target = self._request.targets[file[0]]
        return self._stages.plan(source, target, recipe, options, quantization, inputs)

    def _quantization(self, source: Source) -> Quantization:
        if source.sha256 not in self._quantizations:
            assert self._samples is not None
            self._quantizations[source.sha256] = Quantization(
                source.onnx,
                source.spec,
                self._samples,
                self._pictures[0],
                self._stages.workspace,
                self._stages.reuse,
                self._progress,
            )
        return self._quantizations[source.sha256]

    def _budget_report(self, file: File, result: Result) -> BudgetReport:
        """What the file loses on pictures that decided nothing."""
        assert result.plan is not None
        assert result.plan.budget_met is not None
        decide, report = self._pictures
        budget = self._options.quantization.budget or 0.0
        agreed, measure = result.verification.agreement, self._task.measure
        lost = 1.0 - measure.value(agreed) if measure and agreed and agreed[COUNT] else None
        count = len(result.verification.sample_ids)
        if report is not None:
            lost, count = self._lost(file, result, report), len(report)
        return BudgetReport(
            budget=budget,
            met=result.plan.budget_met,
            labelled=report is not None,
            decided_on=decide.description,
            decided_lost=result.plan.decided_lost,
            reported_images=count,
            reported_lost=lost,
        )

    def _lost(self, file: File, result: Result, pictures: Pictures) -> float | None:
        source, artifact = self._source_for(file), result.artifact
        reference = OnnxRuntimeRunner(source.onnx, source.spec.inputs, source.spec.outputs)
        target = self._request.targets[file[0]]
        runner = target.open(result.path, artifact.inputs, artifact.outputs)
        try:
            return Decision(reference, source.spec, pictures, self._progress).score(runner).lost
        finally:
            runner.close()
            reference.close()

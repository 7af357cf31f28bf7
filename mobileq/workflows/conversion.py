"""One run of `convert`: which files are made, by which engine, and of what."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
from mobileq.quantize.options import QuantOptions, check_keep_float
from mobileq.quantize.plan import QuantPlan
from mobileq.spec import CALIBRATED, Artifact, QuantRecipe
from mobileq.targets.base import Target
from mobileq.tasks.base import COUNT, task_of
from mobileq.workflows.beside import leaves_room
from mobileq.workflows.budget import lost_on, open_truth
from mobileq.workflows.comparing import Comparer
from mobileq.workflows.failures import Attempt, Failures, require_disk_space
from mobileq.workflows.golden import golden_files
from mobileq.workflows.inputs import (
    open_calibration,
    takes_pictures,
    verification_samples,
    wanted_tensors,
)
from mobileq.workflows.judging import Judge
from mobileq.workflows.making import Made, artifact_file, make_file
from mobileq.workflows.planning import Planning
from mobileq.workflows.request import File, Request
from mobileq.workflows.source import Source, folded, prepare, with_head
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet


@dataclass(frozen=True)
class Result:
    """One file that was converted and compared."""

    made: Made
    verification: Verification
    plan: QuantPlan | None = None
    layers: tuple[LayerNoise, ...] = ()

    @property
    def artifact(self) -> Artifact:
        """As the manifest has it."""
        return self.made.artifact


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

    def __init__(self, model: Path, request: Request, stages: Stages) -> None:
        self._request, self._stages, self._progress = request, stages, stages.progress
        self._options = request.options
        self._source = prepare(stages, model, request.overrides)
        # Not before: on two cores the model would be prepared the slower.
        request.start_converter()
        request.require_ranges(
            has_scales=self._source.info.given is not None, spec=self._source.spec
        )
        for notice in self._source.info.notices:
            self._progress.notice(notice)
        if request.fold_preprocessing:
            self._source = folded(stages, self._source)
        self._raw: Source | None = None
        self._check_keep_float()
        self._task = task_of(self._source.spec)
        truth = open_truth(self._options, self._task, self._progress)
        self._samples = self._open_samples()
        self._planning = Planning(stages, self._samples, truth)
        self._comparer = Comparer(stages, self._samples, self._options.seed)
        self._judge = Judge(self._task.measure, self._samples is None, self._progress)
        self._failures = Failures(request.options.strict)
        self._float_files: dict[tuple[str, str, str], Result | Exception] = {}

    @property
    def leaves_room(self) -> bool:
        """Whether something may be done beside it."""
        return leaves_room(self._source.onnx, self._samples)

    def golden(self) -> dict[str, bytes]:
        """See `golden_files`."""
        onnx, spec = self._source.onnx, self._source.spec
        samples = verification_samples(spec, self._samples, 1, self._options.seed, onnx)
        return golden_files(spec, onnx, next(samples))

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
        recipe = self._request.recipe(file, "decoded", self._request.engine(file))
        suffix = self._request.targets[name].info.suffix_of(recipe)
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

    def _source_for(self, file: File) -> Source:
        """With the head that the file gets."""
        head = self._request.head(file)
        if head == "decoded" or (head == "auto" and file[1] not in CALIBRATED):
            return self._source
        if self._raw is None:
            self._raw = with_head(self._stages, self._source, head)
        return self._raw

    def _float_file(self, target: Target, source: Source, engine: str) -> Result:
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

    def _is_wanted(self, target: Target, source: Source) -> bool:
        """Whether the float file itself is asked for."""
        file: File = (target.name, "fp32")
        return file in self._request.files and self._source_for(file).sha256 == source.sha256

    def _float_with_fallback(self, target: Target, source: Source, engine: str) -> Result:
        try:
            recipe = self._request.recipe((target.name, "fp32"), source.head, engine)
            return self._made(target, source, recipe, is_base=not self._is_wanted(target, source))
        except (VerificationError, ToolError) as error:
            others = target.info.engines[target.info.engines.index(engine) + 1 :]
            # Another engine makes another file than the one that a recipe is of.
            if not others or self._request.is_settled(target.name):
                raise
            first = error
        require_disk_space()
        unheeded = ", ".join(self._request.own_options())
        also = f" and knows nothing of {unheeded}" if unheeded else ""
        self._progress.notice(
            f"The {engine} engine failed ({first.message.rstrip('.')}); trying the engine "
            f"`{others[0]}`, which takes minutes{also}."
        )
        try:
            return self._float_file(target, source, others[0])
        except MissingDependencyError as second:
            raise first from second
        except (VerificationError, ToolError) as second:
            # Which operator is at fault says more than what the other engine makes of it.
            if isinstance(first, UnsupportedOperatorError):
                raise first from second
            raise

    def _result(self, file: File) -> Result:
        """Convert, load, run and compare. Raises VerificationError where a float file differs."""
        target = self._request.targets[file[0]]
        source = self._source_for(file)
        with self._planning_begun(file, source):
            float_file = self._float_file(target, source, self._request.engine(file))
            if file[1] == "fp32":
                return float_file
            recipe = self._request.recipe(file, source.head, float_file.artifact.recipe.engine)
            return self._of_float_file(target, source, recipe, self._request.quantization(file))

    def _planning_begun(self, file: File, source: Source) -> AbstractContextManager[None]:
        if file[1] not in CALIBRATED:
            return nullcontext()
        target, options = self._request.targets[file[0]], self._request.quantization(file)
        recipe = self._request.recipe(file, source.head, self._request.engine(file))
        return self._planning.begun(source, target, recipe, options)

    def _of_float_file(
        self, target: Target, source: Source, recipe: QuantRecipe, options: QuantOptions
    ) -> Result:
        plan, made_of = None, source
        other = target.info.calibrated_by(recipe)
        # Other tools than mobileq calibrate by themselves.
        is_planned = other is None or (other.others_keep_float and bool(options.keep_float))
        if recipe.precision in CALIBRATED and is_planned:
            with self._failures.at("quantize"):
                plan, made_of = self._planning.plan(source, target, recipe, options)
            recipe = msgspec.structs.replace(
                recipe,
                calibrator=plan.calibrator if other is None else None,
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
        *,
        is_base: bool = False,
    ) -> Result:
        """Args:
        made_of: The repaired model; what comes out is held against `source`.
        is_base: See `Comparer.verification`.
        """
        samples = self._samples if recipe.precision in CALIBRATED else None
        made = make_file(self._stages, made_of or source, target, recipe, plan, samples)
        with self._failures.at("run"):
            found = self._comparer.verification(source, target, made, is_base=is_base)
        with self._failures.at("compare"):
            self._judge.require_right(target, made.artifact, found)
        by_tool = target.info.calibrated_by(recipe) is not None
        layers: tuple[LayerNoise, ...] = ()
        if by_tool or self._options.layer_noise:
            layers = self._comparer.layers(source, target, made, made_of or source)
        if layers and by_tool:
            made = made.with_note(told(layers))  # of others the plan says why they are as they are
        for note in made.artifact.notes:
            self._progress.notice(note)
        self._judge.tell(target, recipe, made.path.name, found)
        return Result(made, found, plan, layers)

    def _budget_report(self, file: File, result: Result) -> BudgetReport:
        """What the file loses on pictures that decided nothing."""
        plan, made = result.plan, result.made
        assert plan is not None
        assert plan.budget_met is not None
        decide, report = self._planning.pictures
        agreed, measure = result.verification.agreement, self._task.measure
        lost = 1.0 - measure.value(agreed) if measure and agreed and agreed[COUNT] else None
        count = len(result.verification.sample_ids)
        if report is not None:
            target = self._request.targets[file[0]]
            lost = lost_on(report, self._source_for(file), target, made, self._progress)
            count = len(report)
        return BudgetReport(
            budget=self._options.quantization.budget or 0.0,
            met=plan.budget_met,
            labelled=report is not None,
            decided_on=decide.description,
            decided_lost=plan.decided_lost,
            reported_images=count,
            reported_lost=lost,
        )

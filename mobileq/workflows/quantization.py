"""How an integer file is made: statistics, ranges, and which ops stay float, by trying files."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from mobileq.calibration.ranges import Method
from mobileq.calibration.statistics import collect
from mobileq.errors import (
    InputError,
    ToolError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.hashing import file_digest
from mobileq.logfile import logger
from mobileq.page import plural
from mobileq.progress import Progress, Silent
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.plan import (
    TRIED,
    Calibrator,
    QuantPlan,
    matching_groups,
    model_ranges,
    tensors_of,
)
from mobileq.quantize.regions import MOST_FLOAT, MOST_FLOAT_FOR_BUDGET, float_levels
from mobileq.quantize.repairs.registry import (
    DEFAULT_REPAIRS,
    INPUT_SCALING,
    added_tensors,
    repair,
)
from mobileq.quantize.search import FloatSearch, Trial, best
from mobileq.quantize.sensitivity import part_errors
from mobileq.spec import ModelSpec, Precision, QuantRecipe, TensorRanges
from mobileq.targets.base import ConversionJob, Reuse, Target
from mobileq.tasks.base import task_of
from mobileq.workflows.decision import UNLABELLED, Decision, Pictures, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from mobileq.calibration.samples import SampleSet
    from mobileq.calibration.statistics import Statistics

_RANKED_SAMPLES = 2
_FIRST: Method = "mse"
"""The method that is best most often: where nothing is tried, and to begin with."""
_TRIED_REPAIRS: Mapping[str, tuple[str, ...]] = {"int8-full": ("weight-rounding",)}
"""Kept where the file is better with it. With the worst ops in float it helps no more."""
_REPAIR_SAMPLES = 48
"""Some of them decide as well: fitted to so many, files were no better on them than on others."""
_SCALING_SAMPLES = 8
Names = tuple[str, ...]


@dataclass(frozen=True)
class QuantOptions:
    """What a person can say about it.

    Attributes:
        search: Try files on the decision pictures; without, ranges are by mean squared error and
            no op is looked at.
        budget: mAP50-95 that may be lost; None for "until more float ops bring little".
        keep_float: Regular expressions on tensor names.
        repairs: Of `mobileq.quantize.repairs`; None for those that help where they were tried.
    """

    calibrator: Calibrator = "auto"
    search: bool = True
    budget: float | None = None
    keep_float: tuple[str, ...] = ()
    repairs: tuple[str, ...] | None = None


def as_options(recipe: QuantRecipe) -> QuantOptions:
    """What makes the same file again."""
    return QuantOptions(
        calibrator=cast(Calibrator, recipe.calibrator or "auto"),
        search=False,
        keep_float=tuple(f"^{re.escape(name)}$" for name in recipe.keep_float),
        repairs=recipe.repairs,
    )


def check_keep_float(model: ModelProto, precision: Precision, options: QuantOptions) -> None:
    """Before anything is made, as far as the prepared model tells what there will be.

    Raises:
        UsageError: A pattern matches nothing, nor what the repairs may add.
    """
    added = added_tensors(model, _wanted_repairs(precision, options))
    groups = [
        dataclasses.replace(group, tensors=(*group.tensors, *added)) for group in find_groups(model)
    ]
    matching_groups(groups, options.keep_float)


def _wanted_repairs(precision: Precision, options: QuantOptions) -> Names:
    if options.repairs is None:
        return () if precision == "int16x8" else DEFAULT_REPAIRS
    return options.repairs


@dataclass(frozen=True)
class _Variant:
    """The float model as it was given, or repaired: the same function, easier to quantize."""

    onnx: Path
    repairs: tuple[str, ...]
    sha256: str

    @cached_property
    def model(self) -> ModelProto:
        """Read once."""
        import onnx

        return onnx.load(self.onnx)

    @cached_property
    def groups(self) -> tuple[OpGroup, ...]:
        """What can be float or not."""
        return find_groups(self.model)


class Quantization:
    """Plans the integer files of one model; what they share is done once.

    Args:
        onnx: The prepared float model.
        spec: Of it.
        samples: To calibrate on.
        pictures: To decide on.
        workspace: Gives a folder for what is made of the model with a SHA-256,
        reuse: and what a target gets as `ConversionJob.reuse`.
    """

    def __init__(
        self,
        onnx: Path,
        spec: ModelSpec,
        samples: SampleSet,
        pictures: Pictures,
        workspace: Callable[[str], Path],
        reuse: Callable[[str, ModelSpec, Target, QuantRecipe], Reuse],
        progress: Progress,
    ) -> None:
        self._spec, self._workspace, self.reuse = spec, workspace, reuse
        self._samples, self._pictures, self._progress = samples, pictures, progress
        self._given = _Variant(onnx, (), file_digest(onnx))
        self._scaled: _Variant | None = None
        self._statistics: dict[str, Statistics] = {}
        self._known_ranges: dict[tuple[str, Method, int], TensorRanges] = {}
        self._errors: dict[tuple[str, Method], dict[str, float]] = {}

    @cached_property
    def decision(self) -> Decision:
        """The float model's results on the decision pictures, computed once."""
        from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

        runner = OnnxRuntimeRunner(self._given.onnx, self._spec.inputs, self._spec.outputs)
        try:
            decision = Decision(runner, self._spec, self._pictures, self._progress)
        finally:
            runner.close()
        measure = task_of(self._spec).measure
        if measure is not None and decision.is_little:
            counted = f"finds only {plural(decision.count, measure.thing)}"
            self._progress.notice(
                f"The model {counted if decision.count else measure.nothing} in the "
                f"{self._pictures.description} that decide: files are chosen by how far their "
                f"outputs are off; give {measure.wanted}."
            )
        return decision

    def _require_map(self, budget: float) -> None:
        """That there is more to lose than may be lost: else any file would do."""
        measure, found = task_of(self._spec).measure, self.decision.float_value
        if measure is None or found is None:
            raise UsageError(
                "--budget is of a task's measure, such as mAP50-95, which takes pictures and "
                "outputs whose meaning is known.",
                "Leave out --budget, or describe the model with --spec FILE.",
            )
        if found <= budget:
            raise InputError(
                f"A budget of {budget:g} says nothing where the float model itself has a "
                f"{measure.name} of {found:.4f} ({self._pictures.description}).",
                f"Give {measure.wanted} that the model finds, and with labels their own.",
            )

    def plan(
        self, target: Target, recipe: QuantRecipe, options: QuantOptions
    ) -> tuple[QuantPlan, Path]:
        """What to make in the recipe's precision, and of which ONNX file.

        Args:
            recipe: Its precision, engine and types; what is to be found is left open in it.

        Raises:
            UsageError: A pattern matches nothing, there is no such repair, or no mAP to hold a
                budget of.
            InputError: The float model's mAP on the pictures is within the budget of nothing.
            As `Target.convert`.
        """
        auto = options.calibrator == "auto"
        method = cast(Method, _FIRST if auto else options.calibrator)
        bits = 16 if recipe.precision == "int16x8" else 8
        if bits == 16 and auto:
            # 16 bits hold outliers and all: nothing needs to be clipped, and no op is critical.
            method = "min_max"
        repairs = _wanted_repairs(recipe.precision, options)
        # Weights are fitted to what is rounded before them: that must be settled first.
        early = tuple(name for name in repairs if name == INPUT_SCALING)
        variant = self._repaired(early, method, ())
        if early and options.repairs is None:
            variant = self._convertible(target, recipe, variant)
        kept = matching_groups(variant.groups, options.keep_float)
        if bits == 16 or not options.search:
            if options.repairs is not None:
                variant = self._repaired(repairs, method, kept, variant)
            return self._planned(variant, method, kept, bits=bits), variant.onnx
        if options.budget is not None:
            self._require_map(options.budget)
        trials = _Trials(self, target, recipe, self._spec)
        if recipe.precision == "int8-full":
            found = self._whole(trials, variant, method, auto, kept, options.budget)
        else:
            found = self._mixed(trials, variant, method, auto, kept, options.budget)
        return self._finished(found, trials, variant, options)

    def _whole(
        self,
        trials: _Trials,
        variant: _Variant,
        method: Method,
        auto: bool,
        kept: Names,
        budget: float | None,
    ) -> QuantPlan:
        """Integers only: no op can be given up."""
        if auto:
            method = self._best_method(trials, variant, kept)
        plan = self._planned(variant, method, kept)
        return _judged(plan, trials.run(variant, method, kept), budget)

    def _mixed(
        self,
        trials: _Trials,
        variant: _Variant,
        method: Method,
        auto: bool,
        kept: Names,
        budget: float | None,
    ) -> QuantPlan:
        """As few float ops as it takes, then the ranges that suit what is left."""
        errors = self._part_errors(variant, method)
        most = MOST_FLOAT if budget is None else MOST_FLOAT_FOR_BUDGET
        levels = float_levels(variant.model, variant.groups, errors, kept, most)
        found = FloatSearch(lambda at: trials.run(variant, method, levels[at]), len(levels))
        with self._progress.stage("Looking for the ops that must stay float"):
            level = found.worthwhile() if budget is None else found.within(budget)
            kept = levels[found.least_lost() if level is None else level]
        if auto:
            # With the worst outliers out of the way: before, they would decide it.
            method = self._best_method(trials, variant, kept)
        plan = self._planned(variant, method, kept)
        return _judged(plan, trials.run(variant, method, kept), budget)

    def _finished(
        self, plan: QuantPlan, trials: _Trials, variant: _Variant, options: QuantOptions
    ) -> tuple[QuantPlan, Path]:
        """With the weights fitted as well, if that helps or was asked for."""
        late: Names = _TRIED_REPAIRS.get(trials.precision, ())
        if options.repairs is not None:
            late = tuple(name for name in options.repairs if name != INPUT_SCALING)
        if late:
            # Which ranges suit weights as they are says little about those that are fitted to them.
            auto = options.calibrator == "auto"
            method = _FIRST if auto else cast(Method, plan.calibrator)
            with self._progress.stage("Fitting weights"):
                names = (*variant.repairs, *late)
                fitted = self._repaired(names, method, plan.keep_float, variant)
                before = trials.run(variant, cast(Method, plan.calibrator), plan.keep_float)
                after = trials.run(fitted, method, plan.keep_float)
            if options.repairs is not None or best((after, before), lambda each: each) is after:
                variant = fitted
                plan = self._planned(variant, method, plan.keep_float)
                plan = _judged(plan, after, options.budget)
        plan = msgspec.structs.replace(
            plan, trials=tuple(trials.done), decided_on=self._pictures.description
        )
        return plan, variant.onnx

    def _repaired(
        self,
        names: tuple[str, ...],
        method: Method,
        kept: Sequence[str],
        scaled: _Variant | None = None,
    ) -> _Variant:
        """The model after these repairs.

        Args:
            kept: Names of the groups that stay float.
            scaled: The model after the first repair, where that is known.
        """
        if not names:
            return self._given
        if scaled is None:
            scaled = self._after_scaling() if INPUT_SCALING in names else self._given
        late = tuple(name for name in names if name != INPUT_SCALING)
        if not late:
            return scaled
        model, _ = repair(
            scaled.model,
            late,
            lambda: self._few_feeds(_REPAIR_SAMPLES),
            lambda _: self._ranges(scaled, method),
            self._progress,
            kept,
        )
        return self._written(model, names)

    def _after_scaling(self) -> _Variant:
        if self._scaled is None:
            model, _ = repair(
                self._given.model,
                (INPUT_SCALING,),
                lambda: self._few_feeds(_SCALING_SAMPLES),
                lambda _: {},
                self._progress,
            )
            self._scaled = self._written(model, (INPUT_SCALING,))
        return self._scaled

    def _convertible(self, target: Target, recipe: QuantRecipe, variant: _Variant) -> _Variant:
        """The variant, or the model as it is where a converter fails at what a repair added.

        onnx2tf 2.6.9 does at some raw heads with one more depthwise convolution in them. Nobody
        asked for it, and the recipe names the repairs there are: the failure is for the log.
        """
        folder = self._workspace(variant.sha256)
        try:
            target.convert(
                ConversionJob(
                    model=variant.onnx,
                    spec=self._spec,
                    recipe=msgspec.structs.replace(recipe, precision="fp32", io="float32"),
                    ranges={},
                    keep_float=(),
                    samples=None,
                    sample_count=0,
                    output=folder / f"float{target.suffix}",
                    scratch=folder,
                    progress=Silent(),
                    reuse=self.reuse(variant.sha256, self._spec, target, recipe),
                )
            )
        except (ToolError, VerificationError) as error:
            if variant.sha256 == self._given.sha256:
                raise
            logger().info("without %s: %s", ", ".join(variant.repairs), error.message)
            return self._given
        return variant

    def _written(self, model: ModelProto, names: tuple[str, ...]) -> _Variant:
        data = model.SerializeToString(deterministic=True)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 == self._given.sha256:
            return dataclasses.replace(self._given, repairs=names)
        path = self._workspace(sha256) / "repaired.onnx"
        path.write_bytes(data)
        return _Variant(path, names, sha256)

    def _best_method(self, trials: _Trials, variant: _Variant, kept: Names) -> Method:
        with self._progress.stage("Trying calibrators"):
            return best(TRIED, lambda method: trials.run(variant, method, kept))

    def _planned(
        self,
        variant: _Variant,
        method: Method,
        kept: Names,
        *,
        bits: int = 8,
    ) -> QuantPlan:
        return QuantPlan(
            calibrator=method,
            ranges=self.final_ranges(variant, method, bits),
            repairs=variant.repairs,
            keep_float=kept,
            float_tensors=tensors_of(variant.groups, kept),
        )

    def _part_errors(self, variant: _Variant, method: Method) -> dict[str, float]:
        key = variant.sha256, method
        if key not in self._errors:
            self._errors[key] = part_errors(
                variant.model,
                variant.groups,
                self._ranges(variant, method),
                self.decision.sensitivity_samples(_RANKED_SAMPLES),
                self._spec,
                self._progress,
            )
        return self._errors[key]

    def _ranges(self, variant: _Variant, method: Method, bits: int = 8) -> TensorRanges:
        key = variant.sha256, method, bits
        if key not in self._known_ranges:
            statistics = self._statistics_of(variant)
            self._known_ranges[key] = model_ranges(
                variant.model, self._spec, statistics, method, bits
            )
        return self._known_ranges[key]

    def _statistics_of(self, variant: _Variant) -> Statistics:
        """Of the activations, which fitted weights are not meant to change."""
        known = variant.sha256
        if known not in self._statistics:
            self._statistics[known] = collect(
                variant.onnx.read_bytes(), None, self._feeds(), self._progress, len(self._samples)
            )
        return self._statistics[known]

    def final_ranges(self, variant: _Variant, method: Method, bits: int = 8) -> TensorRanges:
        """Ranges of a variant whose weights may be fitted: those they were fitted for."""
        late = any(name != INPUT_SCALING for name in variant.repairs)
        base = (self._scaled or self._given) if INPUT_SCALING in variant.repairs else self._given
        return self._ranges(base if late else variant, method, bits)

    def workspace(self, variant: _Variant) -> Path:
        """A folder for what is made of it."""
        return self._workspace(variant.sha256)

    def _feeds(self) -> Iterator[dict[str, NDArray[Any]]]:
        for sample in self._samples:
            yield sample.feeds

    def _few_feeds(self, count: int) -> Iterator[dict[str, NDArray[Any]]]:
        """The last calibration samples: the first are those that decide and are reported on."""
        total = len(self._samples)
        for sample in self._samples.between(max(0, total - count), total):
            yield sample.feeds


def _judged(plan: QuantPlan, trial: Trial, budget: float | None) -> QuantPlan:
    """With what its file gave on the decision pictures.

    Raises:
        VerificationError: It gave nothing: no file that was tried is better.
    """
    if trial.problem is not None:
        raise VerificationError(
            f"None of the files that were tried works: {trial.problem.rstrip('.')}.",
            "Keep ops in float with --keep-float, or use another precision.",
        )
    met = None if budget is None else trial.lost is not None and trial.lost <= budget
    return msgspec.structs.replace(plan, budget_met=met, decided_lost=trial.lost)


class _Trials:
    """Makes files that are run on the decision pictures and thrown away; each once."""

    def __init__(
        self, quantization: Quantization, target: Target, recipe: QuantRecipe, spec: ModelSpec
    ) -> None:
        self._quantization, self._target = quantization, target
        self._recipe, self._spec = recipe, spec
        self._known: dict[tuple[str, Method, Names], Trial] = {}

    @property
    def precision(self) -> Precision:
        """Of the files."""
        return self._recipe.precision

    @property
    def done(self) -> list[Trial]:
        """In the order they were made."""
        return list(self._known.values())

    def run(self, variant: _Variant, method: Method, kept: Names) -> Trial:
        """The file with these ranges and groups in float; see `Decision.score`."""
        key = variant.sha256, method, kept
        if key not in self._known:
            self._known[key] = self._run(variant, method, kept)
        return self._known[key]

    def _run(self, variant: _Variant, method: Method, kept: Names) -> Trial:
        common: dict[str, Any] = {
            "calibrator": method,
            "repairs": variant.repairs,
            "float_groups": len(kept),
        }
        try:
            score, size_bytes = self._scored(variant, method, kept)
        except UnsupportedOperatorError:
            raise  # no other ranges or float ops would help
        except (ToolError, VerificationError) as error:
            return Trial(**common, problem=error.message)
        return Trial(
            **common,
            error=score.error,
            lost=score.lost,
            few_objects=self._quantization.decision.is_little,
            size_bytes=size_bytes,
        )

    def _scored(self, variant: _Variant, method: Method, kept: Names) -> tuple[Score, int]:
        folder = self._quantization.workspace(variant)
        path = folder / f"trial{self._target.suffix}"
        job = ConversionJob(
            model=variant.onnx,
            spec=self._spec,
            recipe=self._recipe,
            ranges=self._quantization.final_ranges(variant, method),
            keep_float=tensors_of(variant.groups, kept),
            samples=tuple,
            sample_count=0,
            output=path,
            scratch=folder,
            progress=Silent(),
            reuse=self._quantization.reuse(variant.sha256, self._spec, self._target, self._recipe),
        )
        converted = self._target.convert(job)
        runner = self._target.open(path, converted.inputs, converted.outputs)
        try:
            return self._quantization.decision.score(runner), path.stat().st_size
        finally:
            runner.close()


def unlabelled(samples: SampleSet, reported: int) -> Pictures:
    """Calibration pictures to decide on: those after the first, which results are reported on.

    Where there are too few for both, the first are used as well.
    """
    start = reported if len(samples) >= 2 * reported else 0
    return Pictures(samples, start, min(len(samples), start + UNLABELLED))

"""How an integer file is made: statistics, ranges, and which ops stay float, by trying files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mobileq.calibration.ranges import Method
from mobileq.progress import Progress
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.plan import (
    TRIED,
    Calibrator,
    QuantPlan,
    matching_groups,
    model_ranges,
    tensors_of,
)
from mobileq.quantize.search import FloatSearch, Trial, best
from mobileq.quantize.sensitivity import GroupSensitivity, rank_groups
from mobileq.spec import ModelSpec, QuantRecipe, TensorRanges
from mobileq.targets.base import ConversionJob, Target
from mobileq.workflows.decision import UNLABELLED, Decision, Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from mobileq.calibration.samples import SampleSet
    from mobileq.calibration.statistics import Statistics

_RANKED_SAMPLES = 2
_CALIBRATOR_PICTURES = 8
_FIRST: Method = "mse"
"""The method that is best most often: where nothing is tried, and to begin with."""
Names = tuple[str, ...]


@dataclass(frozen=True)
class QuantOptions:
    """What a person can say about it.

    Attributes:
        search: Try files on the decision pictures; without, ranges are by mean squared error and
            no op is looked at.
        budget: mAP50-95 that may be lost; None for "until more float ops bring little".
        keep_float: Regular expressions on tensor names.
    """

    calibrator: Calibrator = "auto"
    search: bool = True
    budget: float | None = None
    keep_float: tuple[str, ...] = ()


def as_options(recipe: QuantRecipe) -> QuantOptions:
    """What makes the same file again."""
    return QuantOptions(
        calibrator=cast(Calibrator, recipe.calibrator or "auto"),
        search=False,
        keep_float=tuple(f"^{re.escape(name)}$" for name in recipe.keep_float),
    )


class Quantization:
    """Plans the integer files of one model; what they share is done once.

    Args:
        onnx: The prepared float model.
        spec: Of it.
        samples: To calibrate on.
        pictures: To decide on.
        scratch: A folder for files that are tried.
    """

    def __init__(
        self,
        onnx: Path,
        spec: ModelSpec,
        samples: SampleSet,
        pictures: Pictures,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self._onnx, self._spec, self._scratch = onnx, spec, scratch
        self._samples, self._pictures, self._progress = samples, pictures, progress
        self._statistics: Statistics | None = None
        self._decision: Decision | None = None
        self._loaded: ModelProto | None = None
        self._ranked: dict[str, tuple[GroupSensitivity, ...]] = {}

    @property
    def model(self) -> ModelProto:
        """The float model, read once."""
        if self._loaded is None:
            import onnx

            self._loaded = onnx.load(self._onnx)
        return self._loaded

    @property
    def statistics(self) -> Statistics:
        """Of all activations over the calibration samples, collected once."""
        if self._statistics is None:
            from mobileq.calibration.statistics import collect

            self._statistics = collect(
                self._onnx.read_bytes(), None, self._feeds(), self._progress, len(self._samples)
            )
        return self._statistics

    @property
    def decision(self) -> Decision:
        """The float model's results on the decision pictures, computed once."""
        if self._decision is None:
            from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

            runner = OnnxRuntimeRunner(self._onnx, self._spec.inputs, self._spec.outputs)
            try:
                self._decision = Decision(runner, self._spec, self._pictures, self._progress)
            finally:
                runner.close()
        return self._decision

    def ranges(self, method: Method, bits: int = 8) -> TensorRanges:
        """By one method, from the statistics."""
        return model_ranges(self.model, self._spec, self.statistics, method, bits)

    def sensitivities(self, method: Method) -> tuple[GroupSensitivity, ...]:
        """All groups, each alone in 8 bits with these ranges; the most sensitive first."""
        if method not in self._ranked:
            from mobileq.quantize.distance import output_distance

            self._ranked[method] = rank_groups(
                self.model,
                find_groups(self.model),
                self.ranges(method),
                self.decision.sensitivity_samples(_RANKED_SAMPLES),
                output_distance(self._spec),
                self._progress,
                self.statistics,
            )
        return self._ranked[method]

    def plan(self, target: Target, recipe: QuantRecipe, options: QuantOptions) -> QuantPlan:
        """What to make of the model in the recipe's precision.

        Args:
            recipe: Its precision, engine and types; what is to be found is left open in it.

        Raises:
            UsageError: A pattern matches nothing.
            As `Target.convert`.
        """
        groups = find_groups(self.model)
        kept = matching_groups(groups, options.keep_float)
        if recipe.precision == "int16x8":
            # 16 bits hold outliers and all: nothing needs to be clipped, and no op is critical.
            method: Method = "min_max" if options.calibrator == "auto" else options.calibrator
            return self._planned(groups, method, kept, bits=16)
        auto = options.calibrator == "auto"
        method = cast(Method, _FIRST if auto else options.calibrator)
        if not options.search:
            return self._planned(groups, method, kept)
        trials = _Trials(self, target, recipe, groups, self._scratch, self._spec, self._onnx)
        if recipe.precision == "int8-full":
            return self._whole(trials, method, auto, kept, options.budget)
        return self._mixed(trials, method, auto, kept, options.budget)

    def _whole(
        self, trials: _Trials, method: Method, auto: bool, kept: Names, budget: float | None
    ) -> QuantPlan:
        """Integers only: no op can be given up."""
        if auto:
            method = self._best_method(trials, kept)
        met = None
        if budget is not None:
            trial = trials.run(method, kept)
            met = trial.lost is not None and trial.lost <= budget
        return self._planned(trials.groups, method, kept, trials.done, met=met)

    def _mixed(
        self, trials: _Trials, method: Method, auto: bool, kept: Names, budget: float | None
    ) -> QuantPlan:
        """As few float ops as it takes, then the ranges that suit what is left."""
        groups = trials.groups
        ranked = self.sensitivities(method)
        free = [group.name for group in ranked if group.name not in kept]

        def names(number: int) -> Names:
            chosen = {*kept, *free[:number]}
            return tuple(group.name for group in groups if group.name in chosen)

        def search() -> tuple[int | None, int]:
            """The number that will do, or None, and the best."""
            found = FloatSearch(lambda number: trials.run(method, names(number)), len(free))
            if budget is None:
                number: int | None = found.worthwhile()
            else:
                number = found.within(budget)
            return number, found.least_lost() if number is None else number

        with self._progress.stage("Looking for the ops that must stay float"):
            holds, number = search()
            if auto:
                # With the worst outliers out of the way: before, they would decide it.
                better = self._best_method(trials, names(number))
                if better != method:
                    method = better
                    holds, number = search()
        met = None if budget is None else holds is not None
        return self._planned(groups, method, names(number), trials.done, ranked, met=met)

    def _best_method(self, trials: _Trials, kept: Names) -> Method:
        with self._progress.stage("Trying calibrators"):
            return best(TRIED, lambda method: trials.run(method, kept, _CALIBRATOR_PICTURES))

    def _planned(
        self,
        groups: tuple[OpGroup, ...],
        method: Method,
        kept: Names,
        tried: Sequence[Trial] = (),
        ranked: tuple[GroupSensitivity, ...] = (),
        *,
        bits: int = 8,
        met: bool | None = None,
    ) -> QuantPlan:
        return QuantPlan(
            calibrator=method,
            ranges=self.ranges(method, bits),
            keep_float=kept,
            float_tensors=tensors_of(groups, kept),
            sensitivities=ranked,
            trials=tuple(tried),
            decided_on=self._pictures.description if tried else "",
            budget_met=met,
        )

    def _feeds(self) -> Iterator[dict[str, NDArray[Any]]]:
        name = self._spec.inputs[0].name
        for sample in self._samples:
            yield {name: sample.tensor}


class _Trials:
    """Makes files that are run on the decision pictures and thrown away."""

    def __init__(
        self,
        quantization: Quantization,
        target: Target,
        recipe: QuantRecipe,
        groups: tuple[OpGroup, ...],
        scratch: Path,
        spec: ModelSpec,
        onnx: Path,
    ) -> None:
        self._quantization, self._target, self._recipe = quantization, target, recipe
        self.groups, self._scratch, self._spec, self._onnx = groups, scratch, spec, onnx
        self.done: list[Trial] = []

    def run(self, method: Method, kept: tuple[str, ...], few: int = 0) -> Trial:
        """The file with these ranges and groups in float; see `Decision.score`."""
        from mobileq.progress import Silent

        path = self._scratch / f"trial{self._target.suffix}"
        job = ConversionJob(
            model=self._onnx,
            spec=self._spec,
            recipe=self._recipe,
            ranges=self._quantization.ranges(method),
            keep_float=tensors_of(self.groups, kept),
            samples=tuple,
            sample_count=0,
            output=path,
            scratch=self._scratch,
            progress=Silent(),
        )
        converted = self._target.convert(job)
        runner = self._target.open(path, converted.inputs, converted.outputs)
        try:
            score = self._quantization.decision.score(runner, few)
        finally:
            runner.close()
        trial = Trial(
            calibrator=method,
            float_groups=len(kept),
            error=score.error,
            lost=score.lost,
            latency_ms=score.latency_ms,
            size_bytes=path.stat().st_size,
        )
        self.done.append(trial)
        return trial


def unlabelled(samples: SampleSet, reported: int) -> Pictures:
    """Calibration pictures to decide on: those after the first, which results are reported on.

    Where there are too few for both, the first are used as well.
    """
    start = reported if len(samples) >= 2 * reported else 0
    return Pictures(samples, start, min(len(samples), start + UNLABELLED))

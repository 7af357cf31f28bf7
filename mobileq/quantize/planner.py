"""How an integer file is planned: its ranges, and which ops stay float, by trying files."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from mobileq.calibration.ranges import Method
from mobileq.errors import ToolError, VerificationError
from mobileq.logfile import logger
from mobileq.progress import Progress
from mobileq.quantize.fisher import FEW, MANY
from mobileq.quantize.options import QuantOptions
from mobileq.quantize.plan import TRIED, FixedRanges, QuantPlan, matching_groups, tensors_of
from mobileq.quantize.regions import (
    MOST_FLOAT,
    MOST_FLOAT_BY_ERROR,
    MOST_FLOAT_FOR_BUDGET,
    expected_error,
    float_levels,
)
from mobileq.quantize.repairs.registry import (
    COMPENSATED_ROUNDING,
    INPUT_SCALING,
    WEIGHT_SHIFT,
)
from mobileq.quantize.residual import residual_sums
from mobileq.quantize.search import FloatSearch, Tried, best, holds, promising
from mobileq.quantize.variants import Ranging, Variant, Variants
from mobileq.spec import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RANKED_SAMPLES = 2
_UNTRIED: Method = "mse"
"""Where nothing is tried, and time is what counts."""
_FIRST: Method = "fisher"
"""To begin with. With `mse` int8-full of four detectors lost .0054 (.0012) more mAP."""
Names = tuple[str, ...]
_TRIED_FOR_FULL: tuple[Names, ...] = (("weight-rounding",),)
_TRIED_BY_ERROR: tuple[Names, ...] = ((COMPENSATED_ROUNDING, WEIGHT_SHIFT), (WEIGHT_SHIFT,))
"""Kept where the file is better with them. With the worst ops in float none changes more of a
detector's mAP than another calibrator does; errors that are compared themselves they lower. What
`weight-rounding` fits to some of the pictures that decide looks better on these than it is. The
first of the last two is taken where both look alike: efficientnet_lite0 had a quarter less of the
error on pictures that did not decide, on each target."""


class Trials(Protocol):
    """Makes files for one target, runs them on the decision pictures and throws them away."""

    decided_on: str
    """What these pictures are, for reports."""
    remedy: str
    """What to try where no file works, one sentence."""
    fixed_ranges: FixedRanges
    """That the target's ops insist on; see `model_ranges`."""
    float_kinds: Collection[str]
    """Of groups that can stay float there or not; see `float_levels`."""

    @property
    def by_error(self) -> bool:
        """Whether the pictures hold too few answers for the task's measure to choose by."""
        ...

    @property
    def by_measure(self) -> bool:
        """Whether there is such a measure, and they hold enough."""
        ...

    def convert_float(self, variant: Variant) -> None:
        """The float file that the integer ones build on. Raises as `Target.convert`."""
        ...

    def require_measure(self, budget: float) -> None:
        """Raises UsageError or InputError where no budget can be held on the pictures."""
        ...

    def feeds(self, count: int) -> list[dict[str, NDArray[Any]]]:
        """Of the pictures that tell most."""
        ...

    def run(self, variant: Variant, plan: QuantPlan, first: Tried | None = None) -> Tried:
        """What the file of a plan made of the pictures. Raises UnsupportedOperatorError where no
        other plan would help.

        Args:
            first: A file that is off by `ENOUGH_ERROR` times as much as this one is given up.
        """
        ...

    def run_each(
        self, chosen: Iterable[tuple[Variant, QuantPlan]], *, held: bool = False
    ) -> list[Tried]:
        """As `run` one after the other; a file is made while the one before it is run.

        Args:
            held: Against the first of them, as if that was the others' `first`.
        """
        ...


def first_ranging(
    precision: Precision, options: QuantOptions, fixed_ranges: FixedRanges
) -> Ranging:
    """How a plan's first ranges are chosen.

    Args:
        fixed_ranges: See `Trials`.
    """
    bits, method = 16 if precision == "int16x8" else 8, options.calibrator
    if method == "auto":
        method = _FIRST if options.search else _UNTRIED
        if bits == 16:
            # These hold outliers and all: nothing needs to be clipped, and no op is critical.
            method = "min_max"
    gradients = MANY if precision == "int8-full" else FEW
    if not options.search:
        gradients = replace(gradients, layers=0)  # nobody asks what may be float
    return Ranging(method, bits, tuple(sorted(fixed_ranges.items())), gradients)


class Planner:
    """Plans the integer file of one precision for one target.

    Args:
        variants: What it can be made of; shared with the model's other files.
        trials: Of the target, the precision and its types.
    """

    def __init__(
        self,
        variants: Variants,
        trials: Trials,
        precision: Precision,
        options: QuantOptions,
        progress: Progress,
    ) -> None:
        self._variants, self._trials = variants, trials
        self._precision, self._options, self._progress = precision, options, progress
        self._auto = options.calibrator == "auto"
        self._begun = first_ranging(precision, options, trials.fixed_ranges)
        self._first, self._bits = self._begun.method, self._begun.bits
        self._known: dict[tuple[str, Method, Names], Tried] = {}
        self._errors: dict[str, float] = {}

    def plan(self) -> tuple[QuantPlan, Variant]:
        """What to make, and of which model.

        Raises:
            UsageError: A pattern matches nothing, there is no such repair, or no measure to hold
                a budget of.
            InputError: The float model has no more of it on the pictures than the budget.
            VerificationError: None of the files that were tried works.
            As `Target.convert`.
        """
        options = self._options
        repairs = options.wanted_repairs(self._precision)
        variant = self._scaled() if INPUT_SCALING in repairs else self._variants.given
        kept = self._floats_from_the_start(variant)
        if self._bits == 16 or not options.search:
            if options.repairs is not None:
                variant = self._variants.repaired(
                    repairs, self._ranging(self._first), kept, variant
                )
            plan = self._planned(variant, self._first, kept)
            return self._told(plan, variant), variant
        if options.budget is not None:
            self._trials.require_measure(options.budget)
        if self._precision != "int8-full":  # integers only: no op can be given up
            kept = self._float_groups(variant, kept)
        plan, variant = self._calibrated(variant, kept)
        done = tuple(tried.trial for tried in self._known.values())
        plan = msgspec.structs.replace(plan, trials=done, decided_on=self._trials.decided_on)
        return self._told(plan, variant), variant

    def _floats_from_the_start(self, variant: Variant) -> Names:
        """Groups that someone asked for, and in `int8` the sums of residual streams, where the
        target's additions can stay float."""
        kept = set(matching_groups(variant.groups, self._options.float_patterns))
        if self._precision == "int8" and "arithmetic" in self._trials.float_kinds:
            kept |= residual_sums(variant.model.graph)
        return tuple(group.name for group in variant.groups if group.name in kept)

    def _told(self, plan: QuantPlan, variant: Variant) -> QuantPlan:
        """With what it means for each group; 16 bits are not looked at so closely."""
        if self._bits == 16:
            return plan
        ranging = self._ranging(cast(Method, plan.calibrator))
        groups = self._variants.told(variant, ranging, plan.keep_float, self._errors)
        return msgspec.structs.replace(plan, groups=groups)

    def _scaled(self) -> Variant:
        """Weights are fitted to what is rounded before them: that must be settled first."""
        scaled, given = self._variants.scaled(self._begun), self._variants.given
        if self._options.repairs is not None:
            return scaled
        try:
            self._trials.convert_float(scaled)
        except (ToolError, VerificationError) as error:
            # onnx2tf 2.6.9 fails at some raw heads with one more depthwise convolution in them.
            # Nobody asked for it, and the recipe names the repairs there are: it is for the log.
            if scaled.sha256 == given.sha256:
                raise
            logger().info("without %s: %s", ", ".join(scaled.repairs), error.message)
            return given
        return scaled

    def _float_groups(self, variant: Variant, kept: Names) -> Names:
        """As few float ops as it takes."""
        budget = self._options.budget
        feeds = self._trials.feeds(_RANKED_SAMPLES)
        shifted = any(WEIGHT_SHIFT in late for late in self._late())
        errors = self._variants.errors(variant, self._ranging(self._first), feeds, shifted)
        self._errors = errors
        kinds = self._trials.float_kinds
        most = MOST_FLOAT if budget is None else MOST_FLOAT_FOR_BUDGET
        if budget is None and self._trials.by_error:
            most = MOST_FLOAT_BY_ERROR
        model, groups = variant.model, variant.groups
        levels = float_levels(model, groups, errors, kept, most, kinds)
        expected = [expected_error(model, groups, errors, each) for each in levels]
        ahead = promising(expected, self._trials.by_measure)
        with self._progress.stage("Looking for the ops that must stay float"):
            first = None
            if budget is None:
                # Where too much is expected of no op in float, what comes then is made meanwhile.
                likely = (-1, 0) if 0 in ahead else (-1, 0, ahead[0])
                asked = dict.fromkeys(levels[each] for each in likely)
                found = self._run_each(variant, [(self._first, each) for each in asked], held=True)
                first = found[0]
            search = FloatSearch(
                lambda at: self._tried(variant, self._first, levels[at], first), len(levels)
            )
            if budget is not None:
                level = search.within(budget)
                return levels[search.least_lost() if level is None else level]
            return levels[search.worthwhile(ahead)]

    def _calibrated(self, variant: Variant, kept: Names) -> tuple[QuantPlan, Variant]:
        """With the ranges that lose least, and fitted weights where these help."""
        method = self._first
        ranging = self._ranging(method)
        # Gradients tell more of ranges than what a few files do to the measure on two dozen
        # pictures.
        if self._auto and (
            self._trials.by_error or not self._variants.is_weighed(variant, ranging)
        ):
            # With the worst outliers out of the way: before, they would decide it.
            method = self._best_method(variant, kept)
        fitted = self._fitted(variant, method, kept)
        if fitted is not variant:
            # Which ranges suit weights as they are says little about those that are fitted to them.
            method = self._first
        return self._judged(fitted, method, kept), fitted

    def _best_method(self, variant: Variant, kept: Names) -> Method:
        with self._progress.stage("Trying calibrators"):
            methods = dict.fromkeys((self._first, *TRIED))
            self._run_each(variant, [(method, kept) for method in methods])
            return best(tuple(methods), lambda method: self._tried(variant, method, kept))

    def _fitted(self, variant: Variant, method: Method, kept: Names) -> Variant:
        """With the weights fitted as well, if that helps or was asked for."""
        choices = self._late()
        if not choices:
            return variant
        ranging = self._ranging(self._first)
        # First of all: what the target can't have in integers it refuses whatever the weights are,
        # and to fit these takes a minute.
        before = self._tried(variant, method, kept)
        with self._progress.stage("Fitting weights"):
            made = [
                self._variants.repaired((*variant.repairs, *late), ranging, kept, variant)
                for late in choices
            ]
            after = [(fitted, self._tried(fitted, self._first, kept)) for fitted in made]
        if self._options.repairs is None:
            # Weights that lie on a grid, as those of a model that was in integers, are best as they
            # are: fitted, they left four times the error, which 24 pictures' mAP did not show.
            works = [each for each in after if holds(each[1], before)]
            return best((*works, (variant, before)), lambda each: each[1])[0]
        return made[0]

    def _late(self) -> tuple[Names, ...]:
        """Repairs that are asked for, or sets that are tried, when it is known what stays float."""
        if self._options.repairs is not None:
            late = tuple(name for name in self._options.repairs if name != INPUT_SCALING)
            return (late,) if late else ()
        if self._precision == "int8-full":
            return _TRIED_FOR_FULL
        return _TRIED_BY_ERROR if self._trials.by_error else ()

    def _tried(
        self, variant: Variant, method: Method, kept: Names, first: Tried | None = None
    ) -> Tried:
        """The file with these ranges and groups in float, made and run once."""
        key = variant.sha256, method, kept
        if key not in self._known:
            plan = self._planned(variant, method, kept)
            self._known[key] = self._trials.run(variant, plan, first)
        return self._known[key]

    def _run_each(
        self, variant: Variant, chosen: Iterable[tuple[Method, Names]], *, held: bool = False
    ) -> list[Tried]:
        """As `_tried`, those that are not known yet beside each other."""
        keys = [(variant.sha256, method, kept) for method, kept in chosen]
        new = [key for key in keys if key not in self._known]
        plans = ((variant, self._planned(variant, method, kept)) for _, method, kept in new)
        self._known.update(zip(new, self._trials.run_each(plans, held=held), strict=True))
        return [self._known[key] for key in keys]

    def _judged(self, variant: Variant, method: Method, kept: Names) -> QuantPlan:
        """The plan, with what its file gave on the decision pictures.

        Raises:
            VerificationError: It gave nothing: no file that was tried is better.
        """
        trial, budget = self._tried(variant, method, kept).trial, self._options.budget
        if trial.problem is not None:
            raise VerificationError(
                f"None of the files that were tried works: {trial.problem.rstrip('.')}.",
                self._trials.remedy,
            )
        return msgspec.structs.replace(
            self._planned(variant, method, kept),
            budget_met=None if budget is None else trial.lost is not None and trial.lost <= budget,
            decided_lost=trial.lost,
        )

    def _planned(self, variant: Variant, method: Method, kept: Names) -> QuantPlan:
        return QuantPlan(
            calibrator=method,
            ranges=self._variants.ranges(variant, self._ranging(method)),
            repairs=variant.repairs,
            keep_float=kept,
            float_tensors=tensors_of(variant.groups, kept),
        )

    def _ranging(self, method: Method) -> Ranging:
        return replace(self._begun, method=method)

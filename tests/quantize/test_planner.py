"""Plans of integer files: what is tried, what is chosen, and when nothing is tried at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.bootstrap import Estimate
from mobileq.calibration.samples import open_samples
from mobileq.errors import ToolError, UsageError, VerificationError
from mobileq.preparation.prepare import prepare
from mobileq.progress import Silent
from mobileq.quantize.fisher import MANY
from mobileq.quantize.groups import GROUP_KINDS
from mobileq.quantize.options import QuantOptions, as_options, check_keep_float
from mobileq.quantize.plan import TRIED, FixedRanges, QuantPlan
from mobileq.quantize.planner import Planner
from mobileq.quantize.regions import MOST_FLOAT, MOST_FLOAT_BY_ERROR, relative_work
from mobileq.quantize.search import ENOUGH_ERROR, Trial, Tried, never_taken, times_off
from mobileq.quantize.variants import Ranging, Variant, Variants
from mobileq.spec import Precision, QuantRecipe
from tests.targets.tiny import make

CHAIN = 12
FIXED = (("Relu", (0.0, 6.0)),)
UNTRIED = Ranging("mse", 8, FIXED)
FULL = Ranging("fisher", 8, FIXED, MANY)


class Trials:
    """Costs of files by a formula in place of running them; what was asked for is kept."""

    decided_on = "4 calibration pictures"
    remedy = "Use dynamic."

    def __init__(
        self,
        error: Callable[[QuantPlan], float] = lambda plan: 0.1,
        *,
        lost: Callable[[QuantPlan], float] | None = None,
        is_convertible: bool = True,
        problem: str | None = None,
        by_error: bool = False,
    ) -> None:
        self.by_error, self.by_measure = by_error, lost is not None and not by_error
        self._error, self._lost, self._is_convertible = error, lost, is_convertible
        self._problem = problem
        self.fixed_ranges: FixedRanges = dict(FIXED)
        self.float_kinds = GROUP_KINDS
        self.plans: list[tuple[str, QuantPlan]] = []
        self.floats: list[Variant] = []
        self.budgets: list[float] = []

    def convert_float(self, variant: Variant) -> None:
        self.floats.append(variant)
        if not self._is_convertible:
            raise ToolError("The converter crashed.", "See the log file.")

    def require_measure(self, budget: float) -> None:
        self.budgets.append(budget)

    def feeds(self, count: int) -> list[dict[str, Any]]:
        numbers = np.random.default_rng(1)
        return [{"x": _picture(numbers)} for _ in range(count)]

    def run(self, variant: Variant, plan: QuantPlan, first: Tried | None = None) -> Tried:
        self.plans.append((variant.sha256, plan))
        error, lost = self._error(plan), self._lost(plan) if self._lost else None
        if first is not None and times_off((error,), first.errors) > ENOUGH_ERROR:
            lost = None
        trial = Trial(
            calibrator=plan.calibrator,
            repairs=plan.repairs,
            float_groups=len(plan.keep_float),
            error=None if self._problem else error,
            lost=lost,
            problem=self._problem,
        )
        if self._problem:
            return never_taken(trial)
        if self._lost and lost is None:
            return never_taken(trial)
        cost = error if lost is None else lost
        return Tried(trial, Estimate(cost, cost), (error,))

    def run_each(
        self, chosen: Iterable[tuple[Variant, QuantPlan]], *, held: bool = False
    ) -> list[Tried]:
        found: list[Tried] = []
        for variant, plan in chosen:
            found.append(self.run(variant, plan, found[0] if held and found else None))
        return found


def _picture(numbers: np.random.Generator) -> np.ndarray[Any, Any]:
    return numbers.normal(0.0, 1.0, (1, 8, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolutions with a Relu behind each; some channels are much larger than others."""
    names = ["x", *(f"c{at}" for at in range(CHAIN))]
    body = "\n".join(
        f"{after}_sum = Conv({before}, w_{after}) {after} = Relu({after}_sum)"
        for before, after in pairwise(names)
    )
    made = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[1,8,4,4] x) => (float[1,8,4,4] '
        f"{names[-1]}) {{ {body} }}"
    )
    numbers = np.random.default_rng(0)
    for name in names[1:]:
        weights = (
            numbers.normal(0.1, 0.4, (8, 8, 1, 1)) * np.linspace(0.1, 2.0, 8)[:, None, None, None]
        )
        made.graph.initializer.append(
            numpy_helper.from_array(weights.astype(np.float32), f"w_{name}")
        )
    path = tmp_path_factory.mktemp("model") / "chain.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def variants(model: Path, tmp_path: Path) -> Variants:
    prepared = prepare(model)
    path = tmp_path / "prepared.onnx"
    onnx.save(prepared.model, path)
    numbers = np.random.default_rng(2)
    (tmp_path / "samples").mkdir()
    for at in range(4):
        np.save(tmp_path / "samples" / f"{at}.npy", _picture(numbers))
    samples = open_samples(tmp_path / "samples", None, prepared.spec.inputs)
    (tmp_path / "repaired").mkdir()
    return Variants(path, prepared.spec, samples, tmp_path / "repaired", Silent())


def _plan(
    variants: Variants,
    trials: Trials,
    precision: Precision = "int8",
    options: QuantOptions | None = None,
) -> tuple[QuantPlan, Variant]:
    return Planner(variants, trials, precision, options or QuantOptions(), Silent()).plan()


@pytest.mark.parametrize(
    ("precision", "kinds", "kept"),
    [
        ("int8", GROUP_KINDS, ("attended", "block")),
        ("int8", ("convolution",), ()),
        ("int8-full", GROUP_KINDS, ()),
    ],
)
def test_the_residual_stream_is_float_from_the_start(
    tmp_path: Path, precision: Precision, kinds: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    block = make("block", tmp_path)
    numbers = np.random.default_rng(3)
    np.save(tmp_path / "sample.npy", numbers.normal(0.0, 1.0, (1, 3, 16, 16)).astype(np.float32))
    samples = open_samples(tmp_path / "sample.npy", None, block.spec.inputs)
    trials = Trials()
    trials.float_kinds = kinds
    variants = Variants(block.path, block.spec, samples, tmp_path, Silent())
    plan, _ = _plan(variants, trials, precision, QuantOptions(search=False, repairs=()))
    assert plan.keep_float == kept


def test_without_a_search_nothing_is_tried(variants: Variants) -> None:
    trials = Trials()
    plan, variant = _plan(variants, trials, options=QuantOptions(search=False))
    assert trials.plans == []
    assert trials.floats == [variants.scaled(UNTRIED)]
    assert (plan.calibrator, plan.repairs, plan.keep_float) == ("mse", ("input-scaling",), ())
    assert variant == variants.scaled(UNTRIED)
    assert {"x", "c0", f"c{CHAIN - 1}"} <= plan.ranges.keys()


def test_repair_that_a_converter_fails_at_is_left_out_unless_it_was_asked_for(
    variants: Variants,
) -> None:
    trials = Trials(is_convertible=False)
    plan, variant = _plan(variants, trials, options=QuantOptions(search=False))
    assert (plan.repairs, variant) == ((), variants.given)
    asked = QuantOptions(search=False, repairs=("input-scaling",))
    plan, variant = _plan(variants, trials, options=asked)
    assert (plan.repairs, variant) == (("input-scaling",), variants.scaled(UNTRIED))


def test_sixteen_bits_take_all_that_was_seen_and_no_repair(variants: Variants) -> None:
    trials = Trials()
    plan, variant = _plan(variants, trials, "int16x8")
    assert (plan.calibrator, plan.repairs, variant) == ("min_max", (), variants.given)
    assert trials.plans == []


def test_calibrator_whose_file_is_best_is_taken_and_each_file_is_made_once(
    variants: Variants,
) -> None:
    trials = Trials(lambda plan: 0.1 if plan.calibrator == "admm" else 0.2, by_error=True)
    plan, _ = _plan(variants, trials)
    assert plan.calibrator == "admm"
    assert {each.calibrator for _, each in trials.plans} == {"fisher", *TRIED}
    made = [(sha256, each.calibrator, each.keep_float) for sha256, each in trials.plans]
    assert len(made) == len(set(made)) == len(plan.trials)
    assert plan.decided_on == trials.decided_on
    assert (plan.budget_met, plan.decided_lost) == (None, None)


def test_levels_that_are_off_by_too_much_are_given_up_unless_there_is_a_budget(
    variants: Variants,
) -> None:
    def error(plan: QuantPlan) -> float:
        return 0.1 if len(plan.keep_float) >= 2 else 0.2

    trials = Trials(error, lost=lambda plan: 0.1)
    plan, _ = _plan(variants, trials, options=QuantOptions(calibrator="mse"))
    assert len(plan.keep_float) >= 2
    told = {each.float_groups: each.lost for each in plan.trials}
    assert told[0] is None
    assert told[len(plan.keep_float)] == 0.1
    held = Trials(error, lost=lambda plan: 0.1)
    plan, _ = _plan(variants, held, options=QuantOptions(calibrator="mse", budget=0.2))
    assert plan.keep_float == ()
    assert all(each.lost == 0.1 for each in plan.trials)


def test_calibrator_that_was_asked_for_is_not_questioned(variants: Variants) -> None:
    trials = Trials()
    plan, _ = _plan(variants, trials, options=QuantOptions(calibrator="entropy"))
    assert {each.calibrator for _, each in trials.plans} == {"entropy"} == {plan.calibrator}


def test_what_a_plan_means_is_told_group_by_group(variants: Variants) -> None:
    trials = Trials(lost=lambda plan: 0.2 if len(plan.keep_float) < 2 else 0.01)
    plan, variant = _plan(variants, trials, options=QuantOptions(calibrator="mse", budget=0.02))
    assert [each.name for each in plan.groups] == [each.name for each in variant.groups]
    assert [each.name for each in plan.groups if each.is_float] == list(plan.keep_float)
    assert sum(each.share or 0.0 for each in plan.groups) == pytest.approx(1.0)
    for each in plan.groups:
        assert (each.low, each.high) == (plan.ranges[each.name].min, plan.ranges[each.name].max)
        assert 5.0 < each.sqnr_db < 70.0  # the range of a Relu is fixed, and clips
        assert each.why.startswith(f"{each.low:.3g} .. {each.high:.3g}")
    narrow, _ = _plan(variants, Trials(), options=QuantOptions(search=False, calibrator="mse"))
    wide, _ = _plan(variants, Trials(), options=QuantOptions(search=False, calibrator="min_max"))
    assert all(each.share is None for each in (*narrow.groups, *wide.groups))
    for left, right in zip(narrow.groups, wide.groups, strict=True):
        assert left.sqnr_db >= right.sqnr_db - 0.5, "what mse is for"
    sixteen, _ = _plan(variants, Trials(), "int16x8")
    assert sixteen.groups == ()


def test_budget_is_held_with_as_few_float_ops_as_it_takes(variants: Variants) -> None:
    trials = Trials(lost=lambda plan: 0.2 if len(plan.keep_float) < 2 else 0.01)
    plan, _ = _plan(variants, trials, options=QuantOptions(calibrator="mse", budget=0.02))
    assert trials.budgets == [0.02]
    assert (plan.budget_met, plan.decided_lost) == (True, 0.01)
    fewer = [len(each.keep_float) for _, each in trials.plans if len(each.keep_float) >= 2]
    assert len(plan.keep_float) == min(fewer)
    assert set(plan.keep_float) < set(plan.float_tensors)


def test_budget_that_is_missed_leaves_the_best_that_was_found(variants: Variants) -> None:
    trials = Trials(lost=lambda plan: 0.3 - 0.01 * len(plan.keep_float))
    plan, _ = _plan(variants, trials, options=QuantOptions(calibrator="mse", budget=0.02))
    assert plan.budget_met is False
    assert plan.decided_lost == min(0.3 - 0.01 * each.float_groups for each in plan.trials)


@pytest.mark.parametrize(("fitted", "expected"), [(0.1, True), (0.3, False)])
def test_whole_integer_files_keep_no_op_and_weights_are_fitted_where_that_helps(
    variants: Variants, fitted: float, expected: bool
) -> None:
    trials = Trials(lambda plan: fitted if "weight-rounding" in plan.repairs else 0.2)
    plan, variant = _plan(variants, trials, "int8-full", QuantOptions(calibrator="mse"))
    assert plan.keep_float == ()
    assert ("weight-rounding" in plan.repairs) is expected
    assert variant.repairs == plan.repairs
    assert variant.onnx.is_file()


@pytest.mark.parametrize(("error", "expected"), [(0.14, True), (0.16, False)])
def test_fitted_weights_that_are_off_by_more_are_not_taken_for_what_few_pictures_say(
    variants: Variants, error: float, expected: bool
) -> None:
    trials = Trials(
        lambda plan: error if "weight-rounding" in plan.repairs else 0.1,
        lost=lambda plan: 0.01 if "weight-rounding" in plan.repairs else 0.02,
    )
    plan, _ = _plan(variants, trials, "int8-full", QuantOptions(calibrator="mse"))
    assert ("weight-rounding" in plan.repairs) is expected


def test_other_ranges_are_looked_at_where_errors_choose_or_no_gradient_is_known(
    variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(plan: QuantPlan) -> float:
        if "weight-rounding" in plan.repairs:
            return fitted
        return 0.1 if plan.calibrator == "admm" else 0.2

    fitted = 0.15
    helped = Trials(error)
    plan, _ = _plan(variants, helped, "int8-full")
    assert "weight-rounding" in plan.repairs
    assert {each.calibrator for _, each in helped.plans} == {"fisher"} == {plan.calibrator}
    fitted = 0.3
    plan, variant = _plan(variants, Trials(error), "int8-full")
    assert (plan.calibrator, variant) == ("fisher", variants.scaled(FULL))
    # Where errors choose, they are certain, and tell which ranges are best before.
    fitted = 0.15
    plan, _ = _plan(variants, Trials(error, by_error=True), "int8-full")
    assert (plan.calibrator, "weight-rounding" in plan.repairs) == ("admm", False)
    monkeypatch.setattr(variants, "is_weighed", lambda variant, ranging: False)
    plan, _ = _plan(variants, Trials(error), "int8-full")
    assert plan.calibrator == "admm"


@pytest.mark.parametrize(
    ("shifted", "compensated", "expected"),
    [
        (0.1, 0.1, ("compensated-rounding", "weight-shift")),
        (0.1, 0.05, ("compensated-rounding", "weight-shift")),
        (0.05, 0.1, ("weight-shift",)),
        (0.3, 0.3, ()),
    ],
)
def test_weights_are_repaired_where_the_error_chooses_and_that_helps(
    variants: Variants, shifted: float, compensated: float, expected: tuple[str, ...]
) -> None:
    def error(plan: QuantPlan) -> float:
        if "compensated-rounding" in plan.repairs:
            return compensated
        return shifted if "weight-shift" in plan.repairs else 0.2

    plan, variant = _plan(variants, Trials(error, by_error=True), "int8")
    assert plan.repairs == ("input-scaling", *expected)
    assert variant.repairs == plan.repairs
    counted, _ = _plan(variants, Trials(error), "int8")
    assert "weight-shift" not in counted.repairs


@pytest.mark.parametrize("kinds", [GROUP_KINDS, ("convolution",)])
@pytest.mark.parametrize(("by_error", "most"), [(False, MOST_FLOAT), (True, MOST_FLOAT_BY_ERROR)])
def test_more_of_the_work_may_be_float_where_the_error_chooses(
    variants: Variants, by_error: bool, most: float, kinds: tuple[str, ...]
) -> None:
    trials = Trials(lambda plan: 1.0 / (1 + len(plan.keep_float)), by_error=by_error)
    trials.float_kinds = kinds
    _plan(variants, trials, "int8")
    work = relative_work(variants.scaled(UNTRIED).model, variants.scaled(UNTRIED).groups)
    shares = [sum(work[name] for name in plan.keep_float) for _, plan in trials.plans]
    assert most / 2 < max(shares) <= most + 1e-9


def test_fitted_weights_keep_the_ranges_that_they_were_fitted_for(variants: Variants) -> None:
    asked = QuantOptions(
        calibrator="mse", search=False, repairs=("input-scaling", "weight-rounding")
    )
    plan, variant = _plan(variants, Trials(), options=asked)
    assert variant.sha256 != variants.scaled(UNTRIED).sha256
    assert plan.ranges == variants.ranges(variants.scaled(UNTRIED), UNTRIED)


def test_where_no_file_works_the_reason_is_told(variants: Variants) -> None:
    with pytest.raises(VerificationError, match=r"None of .* works: It did not load\.") as caught:
        _plan(variants, Trials(problem="It did not load."))
    assert caught.value.hint == "Use dynamic."


def test_pattern_without_a_match_is_refused_before_anything_is_tried(variants: Variants) -> None:
    trials = Trials()
    with pytest.raises(UsageError, match="matches no op's output"):
        _plan(variants, trials, options=QuantOptions(keep_float=("no-such",)))
    assert trials.plans == []
    with pytest.raises(UsageError, match="matches no op's output"):
        check_keep_float(variants.given.model, "int8", QuantOptions(keep_float=("no-such",)))
    check_keep_float(variants.given.model, "int8", QuantOptions(keep_float=("^c3$",)))


def test_recipe_of_a_file_settles_its_plan(variants: Variants) -> None:
    recipe = QuantRecipe(
        precision="int8", calibrator="percentile", keep_float=("c3",), repairs=("input-scaling",)
    )
    trials = Trials()
    plan, _ = _plan(variants, trials, options=as_options(recipe))
    assert trials.plans == []
    assert (plan.calibrator, plan.keep_float, plan.repairs) == (
        "percentile",
        ("c3",),
        ("input-scaling",),
    )

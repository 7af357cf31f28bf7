"""Files of a model of one convolution: final ones, tried ones and their float base."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.cache import ResultCache
from mobileq.calibration.samples import SampleSet, open_samples
from mobileq.errors import ToolError, UnsupportedOperatorError, UsageError
from mobileq.progress import Silent
from mobileq.quantize.options import QuantOptions
from mobileq.quantize.plan import TRIED, QuantPlan
from mobileq.quantize.variants import Ranging, Variant, Variants
from mobileq.spec import QuantRecipe, TensorRange
from mobileq.targets.base import ConversionJob, Target
from mobileq.targets.hosted import HostedRunner
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.registry import load_target
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.workflows.decision import Decision, unlabelled
from mobileq.workflows.making import make_file
from mobileq.workflows.opening import Overrides
from mobileq.workflows.planning import Planning
from mobileq.workflows.source import Source, prepare
from mobileq.workflows.stages import Stages
from mobileq.workflows.trials import FileTrials

INT8 = QuantRecipe(precision="int8")


@dataclass
class Run:
    """A run of `convert`, up to the prepared model."""

    stages: Stages
    source: Source
    samples: SampleSet
    target: Target

    def trials(self) -> FileTrials:
        decide = unlabelled(self.samples, 1)

        def decision() -> Decision:
            spec = self.source.spec
            with closing(ReferenceRunner(self.source.onnx, spec.inputs, spec.outputs)) as runner:
                return Decision.of(runner, spec, decide, Silent())

        return FileTrials(
            *(self.stages, self.source, self.target, INT8, self.samples),
            cache(decision),
            decide.description,
        )

    def variants(self) -> Variants:
        folder = self.stages.folder("repaired")
        return Variants(self.source.onnx, self.source.spec, self.samples, folder, Silent())


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Iterator[Run]:
    numbers = np.random.default_rng(0)
    (tmp_path / "samples").mkdir()
    for at in range(4):
        values = numbers.normal(0.0, 1.0, (1, 3, 8, 8)).astype(np.float32)
        np.save(tmp_path / "samples" / f"{at}.npy", values)
    (tmp_path / "scratch").mkdir()
    with ResultCache(tmp_path / "cache") as store:
        stages = Stages(store, tmp_path / "scratch", Silent())
        source = prepare(stages, model, Overrides())
        samples = open_samples(tmp_path / "samples", None, source.spec.inputs)
        with closing(load_target("tflite")) as target:
            yield Run(stages, source, samples, target)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[ConversionJob]:
    """What the target is asked for, besides doing it."""
    found, convert = list[ConversionJob](), TfliteTarget.convert

    def kept(self: TfliteTarget, job: ConversionJob) -> Any:
        found.append(job)
        return convert(self, job)

    monkeypatch.setattr(TfliteTarget, "convert", kept)
    return found


def test_a_file_is_made_once_for_all_runs_with_the_same_inputs(
    run: Run, jobs: list[ConversionJob], tmp_path: Path
) -> None:
    target, recipe = run.target, QuantRecipe(precision="fp32")
    made = make_file(run.stages, run.source, target, recipe, None, None)
    assert made.path.name == "Model-fp32.tflite"
    assert made.artifact.path == "models/Model-fp32.tflite"
    assert made.artifact.size_bytes == made.path.stat().st_size
    assert [spec.name for spec in made.artifact.outputs] == ["y"]
    (tmp_path / "other").mkdir()
    again = Stages(run.stages._store, tmp_path / "other", Silent())
    assert make_file(again, run.source, target, recipe, None, None).artifact == made.artifact
    assert len(jobs) == 1


def test_tried_files_their_float_base_and_the_final_one_are_asked_for_alike(
    run: Run, jobs: list[ConversionJob]
) -> None:
    trials, variants = run.trials(), run.variants()
    plan = QuantPlan(
        calibrator="mse",
        ranges=dict(variants.ranges(variants.given, Ranging("mse"))),
        repairs=("weight-shift",),
    )
    trials.convert_float(variants.given)
    tried = trials.run(variants.given, plan).trial
    recipe = msgspec.structs.replace(INT8, repairs=plan.repairs)
    made = make_file(run.stages, run.source, run.target, recipe, plan, run.samples)
    base, trial, final = jobs
    assert trial.recipe == final.recipe
    assert (base.recipe.precision, base.ranges, base.sample_count) == ("fp32", {}, 0)
    assert trial.ranges == final.ranges == plan.ranges
    assert base.scratch == trial.scratch == final.scratch
    assert tried.error is not None
    assert tried.error < 0.1
    assert tried.lost is None, "nobody knows what the outputs mean"
    assert tried.size_bytes == made.artifact.size_bytes


def test_a_file_is_made_while_the_one_before_it_is_run(
    run: Run, jobs: list[ConversionJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials, variants = run.trials(), run.variants()
    plans = [
        QuantPlan(calibrator=method, ranges=dict(variants.ranges(variants.given, Ranging(method))))
        for method in TRIED[:4]
    ]
    alone = [trials.run(variants.given, plan) for plan in plans]
    made, score = threading.Semaphore(0), Decision.score
    convert = TfliteTarget.convert

    def chosen() -> Iterator[tuple[Variant, QuantPlan]]:
        for plan in plans:
            yield variants.given, plan
        made.release()  # nothing comes after the last

    def counted(self: TfliteTarget, job: ConversionJob) -> Any:
        is_first = len(jobs) == len(plans)
        found = convert(self, job)
        if not is_first:
            made.release()
        return found

    def waiting(self: Decision, runner: Any, first: Any) -> Any:
        found = score(self, runner, first)
        assert made.acquire(timeout=60), "the next file waits for this one"
        return found

    monkeypatch.setattr(TfliteTarget, "convert", counted)
    monkeypatch.setattr(Decision, "score", waiting)
    found = trials.run_each(chosen())
    assert [each.trial for each in found] == [each.trial for each in alone]
    assert len({each.trial.error for each in found}) > 1


def test_a_file_that_is_off_by_too_much_is_not_run_on_all_pictures(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobileq.workflows.decision.FEW", 2)
    trials, variants = run.trials(), run.variants()
    ranges = variants.ranges(variants.given, Ranging("mse"))
    narrow = {
        name: TensorRange(min=each.min / 8, max=each.max / 8) for name, each in ranges.items()
    }
    good, bad = (
        (variants.given, QuantPlan(calibrator="mse", ranges=dict(each)))
        for each in (ranges, narrow)
    )
    ran, once = [], HostedRunner.run

    def counted(self: HostedRunner, feeds: Any) -> Any:
        ran.append(self)
        return once(self, feeds)

    monkeypatch.setattr(HostedRunner, "run", counted)
    first, other, same = trials.run_each([good, bad, good], held=True)
    assert first.cost.value < math.inf
    assert same.trial == first.trial
    assert first.trial.error is not None
    assert other.trial.error is not None
    assert other.trial.error > 1.5 * first.trial.error
    assert (other.cost.value, other.trial.lost, other.trial.problem) == (math.inf, None, None)
    assert trials.run(*bad, first).trial == other.trial
    counts = Counter(map(id, ran))
    assert sorted(counts.values())[2:] == [3, 3], "pictures that decide"
    whole = trials.run(*bad)
    assert whole.cost.value < math.inf
    assert sum(whole.errors[:2]) / 2 == other.trial.error, "of the first pictures"


def test_a_tried_file_that_does_not_work_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials, variants = run.trials(), run.variants()
    plan = QuantPlan(calibrator="mse", ranges=dict(variants.ranges(variants.given, Ranging("mse"))))

    def fails(error: Exception) -> None:
        def convert(*_: object) -> None:
            raise error

        monkeypatch.setattr(TfliteTarget, "convert", convert)

    fails(ToolError("It crashed.", "See the log file."))
    tried = trials.run(variants.given, plan).trial
    assert (tried.problem, tried.error) == ("It crashed.", None)
    fails(UnsupportedOperatorError("There is no Foo.", ""))
    with pytest.raises(UnsupportedOperatorError):
        trials.run(variants.given, plan)
    assert trials.remedy == "Keep sensitive ops in float with --keep-float, or use dynamic."


def test_a_budget_needs_outputs_whose_meaning_is_known(run: Run) -> None:
    with pytest.raises(UsageError, match="--budget is of a task's measure"):
        run.trials().require_measure(0.01)


def test_a_plan_is_found_once_for_all_runs_with_the_same_pictures(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, options = run.target, QuantOptions(search=False)
    plan, made_of = Planning(run.stages, run.samples, None).plan(run.source, target, INT8, options)
    assert plan.repairs == ("input-scaling",)
    assert {"x", "y"} <= plan.ranges.keys()
    (tmp_path / "other").mkdir()
    again = Stages(run.stages._store, tmp_path / "other", Silent())
    monkeypatch.setattr(TfliteTarget, "convert", None)
    planning = Planning(again, run.samples, None)
    found, same = planning.plan(run.source, target, INT8, options)
    assert (found, same.sha256) == (plan, made_of.sha256)

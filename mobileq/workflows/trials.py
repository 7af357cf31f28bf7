"""Integer files that are made, run on the decision pictures and thrown away."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.bootstrap import certain
from mobileq.errors import (
    InputError,
    ToolError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.parallel import threads_for
from mobileq.progress import Silent
from mobileq.quantize.plan import QuantPlan
from mobileq.quantize.search import Trial, Tried, never_taken
from mobileq.quantize.variants import Variant
from mobileq.spec import QuantRecipe
from mobileq.targets.base import Runner, Target
from mobileq.tasks.base import task_of
from mobileq.workflows.decision import Decision, Score
from mobileq.workflows.judging import remedy, sentence
from mobileq.workflows.making import write_file
from mobileq.workflows.source import Source
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import SampleSet


class FileTrials:
    """Trials of real files; see `quantize.planner.Trials`.

    Args:
        source: Of which the models are variants.
        recipe: The files' precision, engine and types.
        samples: What a converter is given that insists on samples.
        decision: Gives the float model's results, computed where they are first needed.
        decided_on: What it was made on.
    """

    def __init__(
        self,
        stages: Stages,
        source: Source,
        target: Target,
        recipe: QuantRecipe,
        samples: SampleSet,
        decision: Callable[[], Decision],
        decided_on: str,
    ) -> None:
        self._stages, self._source = stages, source
        self._target, self._recipe = target, recipe
        self._samples, self._decision, self.decided_on = samples, decision, decided_on
        self.fixed_ranges = target.info.fixed_ranges
        self.float_kinds: Collection[str] = target.info.float_kinds
        self.remedy = sentence(remedy(target.info, recipe))

    @property
    def by_error(self) -> bool:
        """Whether the pictures hold too few answers for the task's measure to choose by."""
        return self._decision().is_little

    @property
    def by_measure(self) -> bool:
        """Whether there is such a measure, and they hold enough."""
        return self._decision().is_by_measure

    def convert_float(self, variant: Variant) -> None:
        """The float file that the integer ones build on. Raises as `Target.convert`."""
        recipe = msgspec.structs.replace(self._recipe, precision="fp32", io="float32")
        source, stages = self._source.repaired(variant.onnx, variant.sha256), self._stages
        output = stages.workspace(source.sha256) / f"float{self._target.info.suffix_of(recipe)}"
        write_file(stages, source, self._target, recipe, output, None, None, Silent())

    def require_measure(self, budget: float) -> None:
        """That there is more to lose than may be lost: else any file would do.

        Raises:
            UsageError: There is nothing to measure on the pictures.
            InputError: It is no more than the budget.
        """
        measure, found = task_of(self._source.spec).measure, self._decision().float_value
        if measure is None or found is None:
            raise UsageError(
                "--budget is of a task's measure, such as mAP50-95, which takes pictures and "
                "outputs whose meaning is known.",
                "Leave out --budget, or describe the model with --spec FILE.",
            )
        if found <= budget:
            raise InputError(
                f"A budget of {budget:g} says nothing where the float model itself has a "
                f"{measure.name} of {found:.4f} ({self.decided_on}).",
                f"Give {measure.wanted} that the model finds, and with labels their own.",
            )

    def feeds(self, count: int) -> list[dict[str, NDArray[Any]]]:
        """Of the pictures to which there is an answer, before the others."""
        return self._decision().sensitivity_samples(count)

    def run(self, variant: Variant, plan: QuantPlan, first: Tried | None = None) -> Tried:
        """What the file of a plan made of the pictures; see `Decision.score`, and for `first`
        `Trials.run`.

        Raises:
            UnsupportedOperatorError: No other ranges or float ops would help.
        """
        decision = self._decision()
        with threads_for(1) as pool:
            return self._begun(pool, decision, variant, plan, "trial0", lambda: first)()

    def run_each(
        self, chosen: Iterable[tuple[Variant, QuantPlan]], *, held: bool = False
    ) -> list[Tried]:
        """As `run` one after the other; a file is made while the one before it is run.

        Two files are there at a time, and all are opened in this thread: children end with the one
        that they were made in.

        Args:
            held: Against the first of them, as if that was the others' `first`.
        """
        decision = self._decision()
        with threads_for(1) as pool:
            running: list[Callable[[], Tried]] = []
            for at, (variant, plan) in enumerate(chosen):
                if at > 1:
                    running[at - 2]()
                first = running[0] if held and running else lambda: None
                begun = self._begun(pool, decision, variant, plan, f"trial{at % 2}", first)
                running.append(begun)
            return [each() for each in running]

    def _begun(
        self,
        pool: ThreadPoolExecutor,
        decision: Decision,
        variant: Variant,
        plan: QuantPlan,
        folder: str,
        first: Callable[[], Tried | None],
    ) -> Callable[[], Tried]:
        """Gives the trial when it is done; `first` is, when this file is run."""
        common: dict[str, Any] = {
            "calibrator": plan.calibrator,
            "repairs": plan.repairs,
            "float_groups": len(plan.keep_float),
        }

        def scored(runner: Runner, size_bytes: int) -> Tried:
            try:
                with closing(runner):
                    known = first()
                    score = decision.score(runner, known.errors if known else ())
            except UnsupportedOperatorError:
                raise
            except (ToolError, VerificationError) as error:
                return never_taken(Trial(**common, problem=error.message))
            return self._told(decision, score, {**common, "size_bytes": size_bytes})

        try:
            opened = self._opened(variant, plan, folder)
        except UnsupportedOperatorError:
            raise
        except (ToolError, VerificationError) as error:
            tried = never_taken(Trial(**common, problem=error.message))
            return lambda: tried
        return pool.submit(scored, *opened).result

    def _told(self, decision: Decision, score: Score, common: dict[str, Any]) -> Tried:
        if score.is_given_up:
            return never_taken(Trial(**common, error=score.error, few_objects=decision.is_little))
        few = decision.is_little
        # How far outputs are off is smooth, where what is found of a few objects is chance: with
        # its standard error on a dozen pictures, text upside down was taken for upright in int8.
        cost = certain(score.error) if score.lost is None or few else score.lost
        trial = Trial(
            **common,
            error=score.error,
            lost=None if score.lost is None else score.lost.value,
            few_objects=few,
            standard_error=cost.error,
        )
        return Tried(trial, cost, score.errors)

    def _opened(self, variant: Variant, plan: QuantPlan, folder: str) -> tuple[Runner, int]:
        """The file, made, and its bytes."""
        source = self._source.repaired(variant.onnx, variant.sha256)
        stages, target = self._stages, self._target
        path = stages.workspace(source.sha256) / folder / "trial"
        path = path.with_suffix(target.info.suffix_of(self._recipe))
        path.parent.mkdir(exist_ok=True)
        recipe = msgspec.structs.replace(self._recipe, repairs=plan.repairs)
        made = write_file(stages, source, target, recipe, path, plan, self._samples, Silent())
        return target.open(path, made.inputs, made.outputs), path.stat().st_size

"""Plans of the integer files of a run: of the model's own scales, from the cache, or found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.hashing import file_digest
from mobileq.page import plural
from mobileq.quantize.fisher import Watch
from mobileq.quantize.given_plan import given_plan
from mobileq.quantize.groups import find_groups
from mobileq.quantize.options import SENSITIVE, QuantOptions
from mobileq.quantize.plan import QuantPlan, matching_groups, tensors_of
from mobileq.quantize.planner import Planner, first_ranging
from mobileq.quantize.variants import Variants
from mobileq.spec import QuantRecipe
from mobileq.targets.base import Target
from mobileq.targets.reference import ReferenceRunner, reference_name
from mobileq.tasks.base import Truth, task_of
from mobileq.workflows.beside import Beside, leaves_room
from mobileq.workflows.decision import Decision, Pictures, split_labelled, unlabelled
from mobileq.workflows.inputs import VERIFY_COUNT
from mobileq.workflows.source import Source
from mobileq.workflows.stages import Stages
from mobileq.workflows.trials import FileTrials

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet


_FEW = 16
"""Answers; fewer say that the pictures are not of what the model finds."""


@dataclass(frozen=True)
class _Shared:
    """What all plans of one model have in common."""

    variants: Variants
    decision: Callable[[], Decision]


class Planning:
    """Plans integer files; what those of one model share is done once.

    Args:
        samples: To calibrate on; None where every file has scales of its own.
        truth: Labelled pictures to decide and report on, in place of samples.
    """

    def __init__(self, stages: Stages, samples: SampleSet | None, truth: Truth | None) -> None:
        self._stages, self._samples, self._truth = stages, samples, truth
        self._shared: dict[str, _Shared] = {}
        self._begun: dict[str, Decision] = {}
        self._progress = Beside(stages.progress)

    @cached_property
    def pictures(self) -> tuple[Pictures, Pictures | None]:
        """To decide on, and to report on; None: the verification's own."""
        if self._truth is not None:
            return split_labelled(self._truth)
        assert self._samples is not None
        if len(self._samples) < 2 * VERIFY_COUNT:
            self._stages.progress.notice(
                f"Fewer than {2 * VERIFY_COUNT} pictures in --calib tell little, and results are "
                "reported on the same that decide: give some dozens."
            )
        return unlabelled(self._samples, VERIFY_COUNT), None

    @contextmanager
    def begun(
        self, source: Source, target: Target, recipe: QuantRecipe, options: QuantOptions
    ) -> Iterator[None]:
        """Within the block what `plan` begins with is measured beside what else is done, where
        the plan is not known and that takes little memory."""
        samples = self._samples
        if (
            target.info.calibrated_by(recipe) is not None
            or source.info.given is not None
            or samples is None
            or not leaves_room(source.onnx, samples)
            or self._stages.has("plan", **self._inputs(source, target, recipe, options))
        ):
            yield
            return
        shared = self._shared_of(source, samples, self.pictures[0])

        def work() -> None:
            ranging = first_ranging(recipe.precision, options, target.info.fixed_ranges)
            repairs, pictures = options.wanted_repairs(recipe.precision), self.pictures[0]
            if not options.search or recipe.precision not in ("int8", "int8-full"):
                shared.variants.begin(repairs, ranging)
                return
            decision = Decision(source.spec, pictures)
            watch = Watch(range(pictures.start, pictures.stop), decision.add)
            shared.variants.begin(repairs, ranging, watch)
            if decision.is_complete:
                self._begun[source.sha256] = decision
            shared.decision()

        with self._progress.begun(work):
            yield

    def plan(
        self, source: Source, target: Target, recipe: QuantRecipe, options: QuantOptions
    ) -> tuple[QuantPlan, Source]:
        """Ranges and float ops of one integer file, and the model that it is made of, which may be
        repaired; of a file that another tool calibrates its float ops alone.

        Args:
            recipe: The file's precision, engine and types; what is to be found is open in it.

        Raises:
            As `Planner.plan`.
        """
        if (other := target.info.calibrated_by(recipe)) is not None:
            return self._of_other(source, target, recipe, options, other.name), source
        given = plan_given(source, options.keep_float)
        if given is not None:
            self._explain_given(given, options.keep_float)
            return given, source
        folder = self._stages.folder(f"plan-{target.name}-{recipe.precision}-{recipe.head}")

        def make(folder: Path) -> None:
            plan, onnx = self._found(source, target, recipe, options)
            (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
            shutil.copyfile(onnx, folder / "model.onnx")

        def read(folder: Path) -> tuple[QuantPlan, Source]:
            plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=QuantPlan)
            onnx = folder / "model.onnx"
            return plan, source.repaired(onnx, file_digest(onnx))

        self._stages.fill(
            folder,
            "plan",
            make,
            read,
            **self._inputs(source, target, recipe, options),
        )
        return read(folder)

    def _inputs(
        self, source: Source, target: Target, recipe: QuantRecipe, options: QuantOptions
    ) -> dict[str, object]:
        """What a plan depends on."""
        assert self._samples is not None
        decide, _ = self.pictures
        return {
            "model": source.sha256,
            "spec": source.spec,
            "target": target.name,
            "recipe": recipe,
            "options": msgspec.to_builtins(options),
            "inputs": f"{self._samples.fingerprint()} {decide.fingerprint()}",
            "versions": (reference_name(), target.tool_versions(recipe)),
        }

    def _of_other(
        self, source: Source, target: Target, recipe: QuantRecipe, options: QuantOptions, by: str
    ) -> QuantPlan:
        """Args: by: The option by which another tool calibrates the file."""
        import onnx

        groups = find_groups(onnx.load(source.onnx))
        kept = matching_groups(groups, options.float_patterns)
        if SENSITIVE in options.keep_float:
            left = {name: value for name, value in recipe.options.items() if name != by}
            own = msgspec.structs.replace(recipe, options=left)
            found, _ = self.plan(source, target, own, options)
            # It may be of a repaired model, which has more of them.
            kept = tuple(group.name for group in groups if group.name in found.keep_float)
        return QuantPlan(
            calibrator=recipe.options[by],
            ranges={},
            keep_float=kept,
            float_tensors=tensors_of(groups, kept),
        )

    def _found(
        self, source: Source, target: Target, recipe: QuantRecipe, options: QuantOptions
    ) -> tuple[QuantPlan, Path]:
        assert self._samples is not None
        decide, _ = self.pictures
        shared = self._shared_of(source, self._samples, decide)
        target.expect(2 if options.search else 1)
        self._progress.wait()
        trials = FileTrials(
            self._stages,
            source,
            target,
            recipe,
            self._samples,
            shared.decision,
            decide.description,
        )
        planner = Planner(
            shared.variants,
            trials,
            recipe.precision,
            options,
            self._progress,
        )
        plan, variant = planner.plan()
        return plan, variant.onnx

    def _shared_of(self, source: Source, samples: SampleSet, decide: Pictures) -> _Shared:
        if source.sha256 not in self._shared:
            folder = self._stages.folder(f"repaired-{source.head}")
            self._shared[source.sha256] = _Shared(
                Variants(source.onnx, source.spec, samples, folder, self._progress),
                cache(lambda: self._decided(source, decide)),
            )
        return self._shared[source.sha256]

    def _decided(self, source: Source, pictures: Pictures) -> Decision:
        """The float model's results on the decision pictures."""
        spec, progress = source.spec, self._progress
        decision = self._begun.pop(source.sha256, None)
        if decision is None:
            with closing(ReferenceRunner(source.onnx, spec.inputs, spec.outputs)) as runner:
                decision = Decision.of(runner, spec, pictures, progress)
        measure = task_of(spec).measure
        if measure is not None and decision.count < _FEW:
            counted = f"finds only {plural(decision.count, measure.thing)}"
            progress.notice(
                f"The model {counted if decision.count else measure.nothing} in the "
                f"{pictures.description} that decide: files are chosen by how far their "
                f"outputs are off; give {measure.wanted}."
            )
        return decision

    def _explain_given(self, plan: QuantPlan, patterns: tuple[str, ...]) -> None:
        if self._samples is not None:
            self._stages.progress.notice(
                "The model has its own scales: the pictures of --calib are used to verify only."
            )
        if plan.keep_float and not patterns:
            self._stages.progress.notice(
                f"{len(plan.keep_float)} ops stay float, since the model has no scales for them."
            )


def plan_given(source: Source, patterns: tuple[str, ...]) -> QuantPlan | None:
    """Of the scales that the model came with; None where it came with none."""
    if source.info.given is None:
        return None
    import onnx

    return given_plan(onnx.load(source.onnx), source.info.given, patterns)

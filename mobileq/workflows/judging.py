"""Whether a converted file is good enough, and what a person is told of it."""

from __future__ import annotations

from mobileq.errors import VerificationError
from mobileq.evaluate.floors import is_grey
from mobileq.evaluate.ship import LOST_AGREEMENT
from mobileq.evaluate.verify import Verification
from mobileq.progress import Progress
from mobileq.spec import Artifact, QuantRecipe
from mobileq.targets.base import Target
from mobileq.targets.info import TargetInfo
from mobileq.tasks.base import COUNT, Measure, figure


class Judge:
    """Says what is wrong with files, and what a person should know of the others.

    Args:
        measure: The task's.
        is_drawn: Whether the samples that files are compared on are nobody's.
    """

    def __init__(self, measure: Measure | None, is_drawn: bool, progress: Progress) -> None:
        self._measure, self._is_drawn, self._progress = measure, is_drawn, progress
        self._is_empty_noted = False

    def require_right(self, target: Target, artifact: Artifact, found: Verification) -> None:
        """Raises VerificationError where the file is wrong."""
        if found.problems:
            name = artifact.file_name
            hint = sentence(remedy(target.info, artifact.recipe))
            if found.tolerance is not None:
                engines = (
                    "Try the other --engine, or report"
                    if len(target.info.engines) > 1
                    else "Report"
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
        if found.left_out:
            self._progress.notice(
                "The model magnifies rounding: with sums in another order ONNX Runtime gives "
                f"other numbers on {', '.join(found.left_out)}, noise or blocks of pure color as "
                f"in no photo, so that {name} was not compared on it."
            )
        measure = self._measure
        if found.agreement and measure:
            agreed = measure.value(found.agreement)
            if not figure(found.agreement, COUNT):
                self._note_empty(measure)
            elif agreed < LOST_AGREEMENT:
                self._progress.notice(
                    f"{name} {measure.little} (agreement {agreed:.2f}): "
                    f"don't ship it; {remedy(target.info, recipe)}."
                )
        if is_grey(recipe.precision, found.roles or found.outputs, found.agreement):
            self._progress.notice(
                f"{name} has only {found.worst_sqnr_db:.1f} dB SQNR in its worst output: "
                f"look at what it gives before you ship it, or {remedy(target.info, recipe)}."
            )

    def _note_empty(self, measure: Measure) -> None:
        """Once, and not of drawn pictures, which are noted as such."""
        if not self._is_drawn and not self._is_empty_noted:
            self._is_empty_noted = True
            self._progress.notice(
                f"The ONNX model {measure.nothing} in the pictures that files are compared on: "
                f"their agreement says nothing; give --calib {measure.wanted}."
            )


def remedy(info: TargetInfo, recipe: QuantRecipe) -> str:
    """What to try where a file finds little."""
    foreign = info.calibrated_by(recipe)
    if foreign is not None and foreign.precisions is not None:
        return f"use {foreign.flag} {foreign.default}"
    gentler = info.precision(recipe.precision).gentler
    if gentler is None:
        return "use another --target"
    if recipe.precision == "int8" and foreign is None:
        return f"keep sensitive ops in float with --keep-float, or use {gentler}"
    return f"use {gentler}"


def sentence(text: str) -> str:
    """Of what `remedy` gives."""
    return f"{text[:1].upper()}{text[1:]}."

"""What one file answered, held against another's answers: what it loses, and in which pictures."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from mobileq.bootstrap import PERFECT, Estimate, resamples
from mobileq.evaluate.report import DelegateScores, Lost, PictureDifference
from mobileq.evaluate.scores import Answers
from mobileq.tasks.base import COUNT, Scored


@dataclass(frozen=True)
class Answered:
    """A file's answers, and how right they are where there are labels."""

    answers: Answers
    accuracy: Scored | None

    def lost(self, reference: Answered, agreement: Scored) -> Lost | None:
        """Of the task's figure against the reference's own, with its standard error where there is
        more than one picture.

        Args:
            agreement: With the reference.
        """
        if reference.accuracy is not None and self.accuracy is not None:
            return self._lost(self._estimate(reference.accuracy), self.accuracy)
        return self._lost(PERFECT, agreement) if agreement.figures[COUNT] else None

    def lost_since(self, before: Answered, was: Scored, agreement: Scored) -> Lost | None:
        """Against another file's answers for the same pictures, which agreed with its own ONNX
        model as `was` says; the rest as of `lost`."""
        if before.accuracy is not None and self.accuracy is not None:
            return self.lost(before, agreement)
        if not (was.figures[COUNT] and agreement.figures[COUNT]):
            return None
        return self._lost(self._estimate(was), agreement)

    def on_phone(self, scores: DelegateScores, here: Answered) -> DelegateScores:
        """`scores` with what differs from the answers of the same file on this computer."""
        same = self.answers.agreement(here.answers)
        return msgspec.structs.replace(
            scores,
            same=same.figures,
            lost=self.lost(here, same),
            pictures=self.pictures(here),
        )

    def pictures(self, other: Answered) -> tuple[PictureDifference, ...]:
        """Those that `other` answers otherwise, the most first."""
        return tuple(
            PictureDifference(picture=name, amount=each.amount, told=each.told)
            for name, each in self.answers.differences(other.answers)
        )

    def _lost(self, wanted: Estimate, found: Scored) -> Lost:
        lost = wanted - self._estimate(found)
        return Lost(value=lost.value, error=lost.error if len(self.answers.shown) > 1 else None)

    def _estimate(self, scored: Scored) -> Estimate:
        measure = self.answers.task.measure
        assert measure is not None
        weights = resamples(len(self.answers.shown))
        return Estimate(measure.value(scored.figures), scored.resampled(weights))

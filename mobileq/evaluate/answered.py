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
            lost = self._estimate(reference.accuracy) - self._estimate(self.accuracy)
        elif agreement.figures[COUNT]:
            lost = PERFECT - self._estimate(agreement)
        else:
            return None
        return Lost(value=lost.value, error=lost.error if len(self.answers.shown) > 1 else None)

    def on_phone(self, scores: DelegateScores, here: Answered) -> DelegateScores:
        """`scores` with what differs from the answers of the same file on this computer."""
        same = self.answers.agreement(here.answers)
        return msgspec.structs.replace(
            scores,
            same=same.figures,
            lost=self.lost(here, same),
            pictures=tuple(
                PictureDifference(picture=name, amount=each.amount, told=each.told)
                for name, each in self.answers.differences(here.answers)
            ),
        )

    def _estimate(self, scored: Scored) -> Estimate:
        measure = self.answers.task.measure
        assert measure is not None
        weights = resamples(len(self.answers.shown))
        return Estimate(measure.value(scored.figures), scored.resampled(weights))

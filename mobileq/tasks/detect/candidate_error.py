"""How far a model's candidates are from those of the float model, as one smooth number.

mAP moves in jumps, and on a few dozen pictures by chance. Candidates before suppression can be
compared cell by cell, so every picture says something about every small change of a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mobileq.tasks.detect.decode import Candidates
from mobileq.tasks.detect.decode.vjp import Cotangents
from mobileq.tasks.noise import rademacher
from mobileq.vision.arrays import BoolArray, FloatArray, IntArray

LEAST_SCORE = 0.05
"""Cells where neither model sees more than this never become a detection that counts."""
SCORE_WEIGHT = 0.1
"""Scores that are all a little lower leave the order of detections, and so mAP, as it was."""
LEAST_SIDE = 4.0
"""Pixels; a box is hardly ever smaller, and an error relative to nothing would be infinite."""


@dataclass(frozen=True)
class Anchors:
    """Of a model whose candidates are decoded when they are asked for.

    Attributes:
        count: Of all.
        scores: bool [count] -> float32 [those that are true, C].
    """

    count: int
    scores: Callable[[BoolArray], FloatArray]


class CandidateReference:
    """The float model's candidates of one picture, to hold those of other models against.

    The error is the mean square error of box and score over the cells that one of both takes for
    an object. Of a box it is the mean difference of its four sides in parts of the width and
    height, times the score; 0.01 stands for sides off by a tenth of the box. A score's difference
    weighs a tenth of that.

    Args:
        reference: All candidates, or where there are
        anchors: those from `LEAST_SCORE` on, with their `cells`.

    Attributes:
        seen: bool [anchors]: which are an object of the reference's.
    """

    def __init__(self, reference: Candidates, anchors: Anchors | None = None) -> None:
        self._reference, self._anchors = reference, anchors
        self.seen = np.zeros(0, np.bool_)
        if reference.scores is None:
            return
        best = reference.scores.max(axis=1, initial=0.0)
        objects = self.seen = best >= LEAST_SCORE
        if anchors is not None:
            assert reference.cells is not None
            self.seen = np.zeros(anchors.count, np.bool_)
            self.seen[reference.cells[objects]] = True
        self._weight = np.square(best[objects], dtype=np.float64)
        self._boxes = reference.xyxy[objects].astype(np.float64)
        sides = np.maximum(self._boxes[:, 2:] - self._boxes[:, :2], LEAST_SIDE)
        self._sides = np.tile(sides, 2)

    @property
    def has_objects(self) -> bool:
        """Whether there is anything to be off from."""
        return self._reference.scores is not None and self._weight.size > 0

    def error(self, found: Candidates) -> float | None:
        """Of another model's candidates: all, or those `seen` and from `LEAST_SCORE` on.

        Returns:
            None where candidates do not stand for the same cells (the model chose already), or
            the reference sees nothing.
        """
        if found.scores is None or not self.has_objects:
            return None
        seen = self.seen if found.cells is None else self.seen[found.cells]
        if len(seen) != len(found) or int(seen.sum()) != self._weight.size:
            return None
        either = seen | (found.scores.max(axis=1, initial=0.0) >= LEAST_SCORE)
        wanted = self._scores(either if found.cells is None else found.cells[either])
        off = np.clip(np.nan_to_num(found.scores[either] - wanted, nan=1.0), -1.0, 1.0)
        score = np.square(off, dtype=np.float64).sum()
        shift = (found.xyxy[seen] - self._boxes) / self._sides
        # One box that is nowhere must not outweigh all others.
        shift = np.clip(np.nan_to_num(shift, nan=1.0), -1.0, 1.0)
        box = (np.square(shift).mean(axis=1) * self._weight).sum()
        return float((SCORE_WEIGHT * score + box) / self._weight.size)

    def _scores(self, cells: BoolArray | IntArray) -> FloatArray:
        """The reference's; `cells` by number, rising, or as a mask."""
        if self._anchors is None:
            assert self._reference.scores is not None
            return self._reference.scores[cells]
        wanted = np.zeros(self._anchors.count, np.bool_)
        wanted[cells] = True
        return self._anchors.scores(wanted)

    def slopes(self, random: np.random.Generator) -> Cotangents:
        """Of boxes and scores of the cells `seen`, see `Reference.slopes`; only where the
        reference `has_objects`."""
        wanted = self._reference.scores
        assert wanted is not None
        count = self._weight.size
        part = np.sqrt(self._weight / (4 * count))[:, np.newaxis] / self._sides
        xyxy = rademacher(random, part.shape) * part.astype(np.float32)
        signs = rademacher(random, (count, wanted.shape[1]))
        scores = signs * np.float32(math.sqrt(SCORE_WEIGHT / count))
        return Cotangents(self.seen, xyxy, scores)


def candidate_error(reference: Candidates, found: Candidates) -> float | None:
    """See `CandidateReference.error`."""
    return CandidateReference(reference).error(found)

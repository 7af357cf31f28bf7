"""How far a model's candidates are from those of the float model, as one smooth number.

mAP moves in jumps, and on a few dozen pictures by chance. Candidates before suppression can be
compared cell by cell, so every picture says something about every small change of a model.
"""

from __future__ import annotations

import numpy as np

from mobileq.vision.decode import Candidates

_LEAST_SCORE = 0.05
"""Cells where neither model sees more than this never become a detection that counts."""
_LEAST_SIDE = 4.0
"""Pixels; a box is hardly ever smaller, and an error relative to nothing would be infinite."""


def candidate_error(reference: Candidates, found: Candidates) -> float | None:
    """Mean square error of score and box over the cells that one of both takes for an object.

    Of a score it is its difference; of a box the mean difference of its four sides in parts of the
    width and height, times the score. 0.01 is a typical error of a tenth: scores off by 0.1, or
    sides by a tenth of the box.

    Returns:
        None where candidates do not stand for the same cells (the model chose already), or the
        reference sees nothing.
    """
    if reference.scores is None or found.scores is None or len(reference) != len(found):
        return None
    best = reference.scores.max(axis=1, initial=0.0)
    seen = best >= _LEAST_SCORE
    if not seen.any():
        return None
    either = seen | (found.scores.max(axis=1, initial=0.0) >= _LEAST_SCORE)
    off = np.nan_to_num(found.scores[either] - reference.scores[either], nan=1.0)
    score = np.square(np.clip(off, -1.0, 1.0), dtype=np.float64).sum()
    boxes = reference.xyxy[seen].astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], _LEAST_SIDE)
    shift = (found.xyxy[seen] - boxes) / np.tile(sides, 2)
    # One box that is nowhere is as bad as a missed object, not worse.
    shift = np.clip(np.nan_to_num(shift, nan=1.0), -1.0, 1.0)
    box = (np.square(shift).mean(axis=1) * np.square(best[seen], dtype=np.float64)).sum()
    return float((score + box) / seen.sum())

"""What judges say of a file, from the float model's answers and its own, without labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from judge_files import Seen
from numpy.typing import NDArray

from mobileq.quantize.search import LEAST_ERROR
from mobileq.tasks.detect.agreement import REFERENCE_SCORE, match, matched
from mobileq.tasks.detect.candidate_error import LEAST_SCORE, LEAST_SIDE, SCORE_WEIGHT
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.reference import UNSEEN

Array = NDArray[np.float64]
Drawn = Callable[[Array], Array]
"""[draws, pictures], how often each counts -> [draws], the less the better."""
FOUND = 0.02
"""Scores of what is held against objects from `LEAST_SCORE` on."""
PRESENT = "agreement .25"
"""What the search chooses by."""
HELD = "log of task error"
"""In which it lets no file be off by `ENOUGH_ERROR` times as much: of two, the difference is the
logarithm of the geometric mean of the pictures' ratios, see `mobileq.quantize.search.times_off`."""
COMBINED = "agreement .05 x root of task error"
"""Settled on before anything was measured."""


def judges(wanted: Sequence[Seen], found: Sequence[Seen]) -> dict[str, Drawn]:
    """By name."""
    reference, candidate = ([one.detections for one in each] for each in (wanted, found))
    some = [_from(each, FOUND) for each in candidate]
    made = {
        PRESENT: _agreement(reference, candidate, REFERENCE_SCORE),
        "agreement .05": _agreement(reference, some, LEAST_SCORE),
    }
    parts = [_of_objects(*pair) | _of_cells(*pair) for pair in zip(wanted, found, strict=True)]
    for name in parts[0]:
        made[name] = _ratio(np.array([part[name] for part in parts]))
    agreed, error = made["agreement .05"], made["task error"]
    made[COMBINED] = lambda weights: agreed(weights) * np.sqrt(error(weights))
    return made


def _agreement(
    reference: Sequence[Detections], candidate: Sequence[Detections], least: float
) -> Drawn:
    pairs = matched(reference, candidate, least)
    known: dict[bytes, Array] = {}

    def drawn(weights: Array) -> Array:
        key = weights.tobytes()
        if key not in known:
            known[key] = 1.0 - pairs.resampled(weights)
        return known[key]

    return drawn


def _ratio(parts: Array) -> Drawn:
    """Args: parts: [pictures, 2]: a sum, and what it is divided by."""

    def drawn(weights: Array) -> Array:
        sums = weights @ parts
        quotient: Array = sums[:, 0] / np.maximum(sums[:, 1], 1e-12)
        return quotient

    return drawn


def _of_objects(wanted: Seen, found: Seen) -> dict[str, tuple[float, float]]:
    """Of one picture's objects behind suppression."""
    objects = _from(wanted.detections, REFERENCE_SCORE)
    pairs = match(objects, _from(found.detections, LEAST_SCORE))
    given = _from(found.detections, LEAST_SCORE)
    shown = _from(found.detections, REFERENCE_SCORE)
    both, either = len(match(objects, shown)), len(objects) + len(shown)
    scores = [abs(float(objects.score[a] - given.score[b])) for a, b, _ in pairs]
    return {
        "objects missed or added": (either - 2.0 * both, either),
        "1 - IoU of objects": (sum(1.0 - iou for *_, iou in pairs), len(pairs)),
        "scores of objects": (sum(scores), len(pairs)),
    }


def _from(found: Detections, least: float) -> Detections:
    return found[found.score >= np.float32(least)]


def _of_cells(wanted: Seen, found: Seen) -> dict[str, tuple[float, float]]:
    """Of one picture's cells before suppression, and of the outputs themselves."""
    noise, signal = np.array(found.noise), np.array(found.signal)
    outputs = float((noise / np.maximum(signal, 1e-12)).mean())
    own, other = _scores_of(wanted, found.cells), found.scores.astype(np.float64)
    boxes = _boxes_of(wanted, found.cells)
    best = own.max(axis=1, initial=0.0)
    seen = best >= LEAST_SCORE
    either = seen | (other.max(axis=1, initial=0.0) >= LEAST_SCORE)
    count = float(max(seen.sum(), 1))
    score = float(np.square(own[either] - other[either]).sum()) * SCORE_WEIGHT
    sides = np.tile(np.maximum(boxes[seen, 2:] - boxes[seen, :2], LEAST_SIDE), 2)
    shift = np.clip((found.xyxy[seen] - boxes[seen]) / sides, -1.0, 1.0)
    box = float((np.square(shift).mean(axis=1) * np.square(best[seen])).sum())
    is_any = float(seen.any())
    error = (score + box) / count if is_any else outputs * UNSEEN
    return {
        "task error": ((score + box) / count * is_any, 1.0),
        HELD: (math.log(max(error, LEAST_ERROR)), 1.0),
        "its boxes": (box / count * is_any, 1.0),
        "its scores": (score / count * is_any, 1.0),
        "noise of outputs": (outputs, 1.0),
        "divergence of scores": (_divergence(own, other), count),
    }


def _scores_of(wanted: Seen, cells: NDArray[np.int32]) -> Array:
    """The float model's at these cells; 0 where it sees nothing."""
    at = np.searchsorted(wanted.cells, cells).clip(max=max(len(wanted.cells) - 1, 0))
    if not len(wanted.cells):
        return np.zeros((len(cells), wanted.scores.shape[1]))
    known = wanted.cells[at] == cells
    scores: Array = wanted.scores[at].astype(np.float64) * known[:, np.newaxis]
    return scores


def _boxes_of(wanted: Seen, cells: NDArray[np.int32]) -> Array:
    if not len(wanted.cells):
        return np.zeros((len(cells), 4))
    at = np.searchsorted(wanted.cells, cells).clip(max=len(wanted.cells) - 1)
    return wanted.xyxy[at].astype(np.float64)


def _divergence(own: Array, other: Array) -> float:
    """Kullback and Leibler's, of each class by itself."""
    p, q = np.clip(own, 1e-4, 1.0 - 1e-4), np.clip(other, 1e-4, 1.0 - 1e-4)
    return float((p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))).sum())

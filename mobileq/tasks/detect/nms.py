"""From candidates to detections: thresholds and greedy non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.candidates import Candidates
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.arrays import BoolArray, FloatArray, IntArray

_BLOCK = 128
"""Boxes that are compared with each other at a time."""
_AT_FIRST = 2000
"""Candidates among which as many as are wanted mostly are, of tens of thousands."""


@dataclass(frozen=True)
class Thresholds:
    """What becomes a detection.

    Attributes:
        score: A candidate's score must be at least this (compared as float32).
        iou: A box goes where its IoU with a better one of its class is above this.
        max_detections: So many are kept of one picture, the best.
        multi_label: Whether a box may stand for every class it reaches `score` in, or only for
            its best one (the first of equals).
        max_candidates: So many compete, the best.
    """

    score: float
    iou: float
    max_detections: int = 300
    multi_label: bool = False
    max_candidates: int = 30000

    @classmethod
    def display(cls, spec: DecodeSpec) -> Thresholds:
        """For showing to people: the model's own thresholds, one class per box."""
        return cls(score=spec.score_threshold, iou=spec.iou_threshold)

    @classmethod
    def evaluation(cls) -> Thresholds:
        """For measuring mAP: nearly everything, ranked, as Ultralytics' `val` does."""
        return cls(score=0.001, iou=0.65, max_detections=300, multi_label=True)


def select(candidates: Candidates, thresholds: Thresholds) -> Detections:
    """Choose detections, in model-input pixels, by score, highest first.

    Equal scores keep the order of the candidates, then of the classes: a quantized model gives
    many equal scores, and every implementation must break those ties alike. Candidates whose box
    or score is not finite are left out.
    """
    index, class_id, score = _pairs(candidates, thresholds)
    finite = np.all(np.isfinite(candidates.xyxy), axis=1)[index] & np.isfinite(score)
    if not finite.all():
        index, class_id, score = index[finite], class_id[finite], score[finite]
    if not candidates.needs_nms:
        order = _best(score, thresholds.max_detections)
        return Detections(candidates.xyxy[index[order]], score[order], class_id[order])
    most = min(thresholds.max_candidates, len(score))
    for among in (min(_AT_FIRST, most), most):
        order = _best(score, among)
        xyxy = candidates.xyxy[index[order]]
        kept = suppress(xyxy, class_id[order], thresholds.iou, thresholds.max_detections)
        if len(kept) == thresholds.max_detections or among == most:
            break
    order = order[kept]
    return Detections(xyxy[kept], score[order], class_id[order])


def _best(score: FloatArray, most: int) -> npt.NDArray[np.intp]:
    """Indices of the best `most`, the best first; of equals the first."""
    among: npt.NDArray[np.intp] = np.arange(len(score))
    if most < len(score):  # to sort all takes several times as long
        among = np.flatnonzero(score >= np.partition(score, -most)[-most])
    order: npt.NDArray[np.intp] = among[np.argsort(-score[among], kind="stable")[:most]]
    return order


def _pairs(
    candidates: Candidates, thresholds: Thresholds
) -> tuple[npt.NDArray[np.intp], IntArray, FloatArray]:
    """Candidate index, class and score of everything that reaches the score threshold."""
    lowest = np.float32(thresholds.score)
    scores = candidates.scores
    if scores is None:
        assert candidates.score is not None
        assert candidates.class_id is not None
        index = np.flatnonzero(candidates.score >= lowest)
        return index, candidates.class_id[index], candidates.score[index]
    if thresholds.multi_label:
        index, class_id = np.nonzero(scores >= lowest)
        return index, class_id.astype(np.int64), scores[index, class_id]
    if scores.size == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros(0, np.float32)
    best_class = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), best_class]
    index = np.flatnonzero(best >= lowest)
    return index, best_class[index].astype(np.int64), best[index]


def suppress(
    xyxy: FloatArray, class_id: IntArray, iou_threshold: float, max_kept: int
) -> npt.NDArray[np.intp]:
    """Greedy, class-aware non-maximum suppression.

    Takes the first box left, drops the later ones of its class that overlap it by more than the
    threshold, and so on until `max_kept` are taken. Boxes are compared block by block: of tens of
    thousands, as many as are wanted are mostly among the first few hundred.

    Args:
        xyxy: float32 [N, 4], best first.
        class_id: int64 [N].
        iou_threshold: Above this, boxes are the same object.
        max_kept: How many to take.

    Returns:
        Indices of those kept, ascending.
    """
    areas = box_areas(xyxy)

    def dropped(by: npt.NDArray[np.intp], others: npt.NDArray[np.intp]) -> BoolArray:
        """[by, others]: which of the others each of `by` would drop."""
        pairs: BoolArray = class_id[by][:, np.newaxis] == class_id[others]
        rows, columns = np.nonzero(pairs)
        first, second = by[rows], others[columns]
        pairs[rows, columns] = overlapping(
            xyxy[first], areas[first], xyxy[second], areas[second], iou_threshold
        )
        return pairs

    kept = np.zeros(0, np.intp)
    start, size = 0, _BLOCK
    while start < len(class_id) and len(kept) < max_kept:
        left: npt.NDArray[np.intp] = np.arange(start, min(start + size, len(class_id)))
        left = left[~dropped(kept, left).any(axis=0)]
        while len(left) and len(kept) < max_kept:
            block, left = left[:_BLOCK], left[_BLOCK:]
            block = block[_first_left(dropped(block, block))]
            left = left[~dropped(block, left).any(axis=0)]
            kept = np.concatenate([kept, block])
        start, size = start + size, size * 2
    return kept[:max_kept]


def _first_left(drops: BoolArray) -> BoolArray:
    """[N]: which are left where each, if it is left itself, drops the later ones of `drops`
    [N, N]."""
    left = np.ones(len(drops), np.bool_)
    for at in np.flatnonzero(np.triu(drops, 1).any(axis=1)).tolist():
        if left[at]:
            left[at + 1 :] &= ~drops[at, at + 1 :]
    return left


def box_areas(xyxy: FloatArray) -> FloatArray:
    """`max(0, x2 - x1) * max(0, y2 - y1)` in float32; infinite where that is too large."""
    with np.errstate(over="ignore"):
        side = np.maximum(xyxy[:, 2:] - xyxy[:, :2], np.float32(0))
        area: FloatArray = side[:, 0] * side[:, 1]
    return area


def overlapping(
    boxes: FloatArray,
    areas: FloatArray,
    others: FloatArray,
    other_areas: FloatArray,
    iou_threshold: float,
) -> BoolArray:
    """Whether the IoU of a box, or of each of [N, 4], with its one of [N, 4] others is above the
    threshold.

    In float32, one operation after the other, without a division:
    `w = max(0, min(right) - max(left))`, `h` alike, `inter = w * h`,
    `union = (area + other_area) - inter`, and then `inter > iou_threshold * union`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        width = np.minimum(boxes[..., 2], others[:, 2]) - np.maximum(boxes[..., 0], others[:, 0])
        height = np.minimum(boxes[..., 3], others[:, 3]) - np.maximum(boxes[..., 1], others[:, 1])
        inter = np.maximum(width, np.float32(0)) * np.maximum(height, np.float32(0))
        union = (areas + other_areas) - inter
        above: BoolArray = inter > np.float32(iou_threshold) * union
    return above

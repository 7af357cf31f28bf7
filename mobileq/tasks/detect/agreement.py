"""How well detections repeat a reference's, where nobody labelled anything.

Two models are compared in all they find, where COCO counts the 100 best of a class in a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobileq.tasks.detect.coco import (
    DetectionScores,
    Matched,
    complete,
    evaluated,
    to_coco_results,
)
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.arrays import FloatArray

REFERENCE_SCORE = 0.25
"""Score from which on a detection of the reference is taken for the truth."""


@dataclass(frozen=True)
class AgreementScores:
    """How well a candidate's detections repeat a reference's, where nobody labelled anything.

    The reference's detections from a score upwards count as the truth. Pairs are matched as
    `match` does; only the candidate's detections from the same score upwards take part in
    `recall`, `precision` and the figures about pairs.

    Attributes:
        map50_95: Of all the candidate's detections, as COCO measures it.
        map50: At IoU 0.5.
        recall: Share of the reference's detections that were matched.
        precision: Share of the candidate's detections that were matched.
        mean_iou: Of the matched pairs; 0 without any.
        max_box_difference: Largest difference of one coordinate within a pair, pixels.
        max_score_difference: Largest difference of the score within a pair.
        reference_count: Detections of the reference that count as the truth.
        candidate_count: Detections of the candidate that take part.
        matched_count: Pairs.
    """

    map50_95: float
    map50: float
    recall: float
    precision: float
    mean_iou: float
    max_box_difference: float
    max_score_difference: float
    reference_count: int
    candidate_count: int
    matched_count: int


def agreement(
    reference: Sequence[Detections],
    candidate: Sequence[Detections],
    reference_score: float = REFERENCE_SCORE,
    found: Matched | None = None,
) -> AgreementScores:
    """Measure a candidate's detections against a reference's on the same pictures.

    Where the reference found nothing at all, a candidate that found nothing either scores 1.0
    throughout (but `mean_iou`), any other 0.0.

    Args:
        reference: One per picture, in source pixels.
        candidate: The same pictures in the same order; with low scores included, as
            `Thresholds.evaluation()` gives them, the average precisions are as COCO means them.
        reference_score: Detections from here upwards count.
        found: `matched` of the same, where it is known.

    Raises:
        ValueError: There are not as many of both.
    """
    lowest = np.float32(reference_score)
    truth = [each[each.score >= lowest] for each in reference]
    shown = [each[each.score >= lowest] for each in candidate]
    truth_count, shown_count = sum(map(len, truth)), sum(map(len, shown))
    found = found or matched(reference, candidate, reference_score)
    if truth_count:
        scores = found.scores
    else:
        perfect = 0.0 if shown_count else 1.0
        scores = DetectionScores(perfect, perfect, perfect, len(truth))
    ious: list[float] = []
    box_differences, score_differences = [0.0], [0.0]
    for expected, given in zip(truth, shown, strict=True):
        for left, right, iou in match(expected, given):
            ious.append(iou)
            box_differences.append(float(np.abs(expected.xyxy[left] - given.xyxy[right]).max()))
            score_differences.append(abs(float(expected.score[left] - given.score[right])))
    return AgreementScores(
        map50_95=scores.map50_95,
        map50=scores.map50,
        recall=_share(len(ious), truth_count, shown_count),
        precision=_share(len(ious), shown_count, truth_count),
        mean_iou=float(np.mean(ious)) if ious else 0.0,
        max_box_difference=max(box_differences),
        max_score_difference=max(score_differences),
        reference_count=truth_count,
        candidate_count=shown_count,
        matched_count=len(ious),
    )


def match(
    reference: Detections, candidate: Detections, iou_threshold: float = 0.5
) -> list[tuple[int, int, float]]:
    """Pairs (reference index, candidate index, IoU) of one picture.

    The candidate's detections choose by score, highest first: the unmatched reference of their
    class with the largest IoU (the first of equals), if that is at least the threshold.
    """
    overlap = box_iou(reference.xyxy, candidate.xyxy)
    overlap[reference.class_id[:, np.newaxis] != candidate.class_id[np.newaxis, :]] = -1.0
    pairs: list[tuple[int, int, float]] = []
    for right in np.argsort(-candidate.score, kind="stable").tolist():
        if len(reference) == 0:
            break
        left = int(overlap[:, right].argmax())
        iou = float(overlap[left, right])
        if iou >= iou_threshold:
            pairs.append((left, right, iou))
            overlap[left, :] = -1.0
    return pairs


def box_iou(first: FloatArray, second: FloatArray) -> npt.NDArray[np.float64]:
    """IoU of each of [N, 4] with each of [M, 4], float64 [N, M]; 0 for boxes without area."""
    a, b = first.astype(np.float64)[:, np.newaxis], second.astype(np.float64)[np.newaxis]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inter = np.clip(sides, 0.0, None).prod(axis=2)
    union = (a[..., 2:] - a[..., :2]).prod(axis=2) + (b[..., 2:] - b[..., :2]).prod(axis=2) - inter
    iou: npt.NDArray[np.float64] = np.zeros_like(inter)
    np.divide(inter, union, out=iou, where=union > 0)
    return iou


def _share(part: int, whole: int, others: int) -> float:
    """`part / whole`; of nothing, all was right if the other side has nothing either."""
    if whole:
        return part / whole
    return 0.0 if others else 1.0


def matched(
    reference: Sequence[Detections],
    candidate: Sequence[Detections],
    reference_score: float = REFERENCE_SCORE,
) -> Matched:
    """The reference's detections from a score upwards taken for the truth; pictures are counted
    from 0, and classes become categories from 1.

    Classes that the truth has nothing of count for nothing, and are most of the work.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(reference) != len(candidate):
        raise ValueError(f"{len(reference)} pictures of the reference, {len(candidate)} others")
    truth = [each[each.score >= np.float32(reference_score)] for each in reference]
    if not any(map(len, truth)):
        return Matched(None, range(len(truth)))
    present = np.unique(np.concatenate([found.class_id for found in truth]))
    candidate = [_pixel_wide(found[np.isin(found.class_id, present)]) for found in candidate]
    truth = [_pixel_wide(found) for found in truth]
    category_ids = range(1, int(present[-1]) + 2)
    annotations = [a for i, f in enumerate(truth) for a in to_coco_results(f, i, category_ids)]
    results = [r for i, f in enumerate(candidate) for r in to_coco_results(f, i, category_ids)]
    ground_truth = {
        "images": [{"id": index} for index in range(len(truth))],
        "categories": [{"id": int(class_id) + 1} for class_id in present],
        "annotations": annotations,
    }
    pictures = set(range(len(truth)))
    if not results:
        return Matched(None, range(len(truth)))
    # Of dense pictures COCO's 100 would be but a part, and exact copies seem to find the half.
    most = max(len(found) for found in candidate)
    evaluator = evaluated(complete(ground_truth, pictures), results, most)
    return Matched(evaluator, range(len(truth)))


def _pixel_wide(found: Detections) -> Detections:
    """Sides under a pixel, as of boxes that are cut off at the picture's edge, widened to one.

    Else a thousandth of a pixel, which rounding alone makes, is a large part of such a box.
    """
    low, high = found.xyxy[:, :2], found.xyxy[:, 2:]
    missing = np.maximum(1.0 - (high - low), 0.0) / 2.0
    return Detections(np.hstack([low - missing, high + missing]), found.score, found.class_id)

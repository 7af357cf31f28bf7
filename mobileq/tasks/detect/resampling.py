"""Mean average precision of many resamples of the pictures at once, for its standard error.

Pictures are matched once, by COCOeval. A resample only changes how often each picture counts, and
so the sums along the detections, ranked by score. Precision is looked at where something was found:
between two finds it only falls, and what is behind the last one changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_VALUES = 1 << 20
"""In an array at a time: resamples by detections."""


@dataclass(frozen=True)
class _Category:
    """Detections of one category in all pictures, by score.

    Attributes:
        image: [detections]: column of its picture.
        found: [IoU thresholds, detections]: it is one of the objects.
        ignored: [IoU thresholds, detections]: it counts neither as found nor as false.
        objects: [pictures]: how many there are to find.
    """

    image: npt.NDArray[np.intp]
    found: npt.NDArray[np.bool_]
    ignored: npt.NDArray[np.bool_]
    objects: npt.NDArray[np.float64]


def resampled_precision(
    evaluator: Any, image_ids: Sequence[int], weights: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """COCO's mAP50-95 of each resample.

    With weights of 1 it is pycocotools' number.

    Args:
        evaluator: A COCOeval after `evaluate`.
        image_ids: Its pictures, in the order of
        weights: [resamples, pictures]: how often each counts.

    Returns:
        [resamples]; 0 where no picture with an object counts.
    """
    recalls = np.asarray(evaluator.params.recThrs)
    total, known = np.zeros(len(weights)), np.zeros(len(weights))
    for category in _categories(evaluator, image_ids):
        step = max(1, _VALUES // max(1, len(category.image)))
        for start in range(0, len(weights), step):
            rows = slice(start, start + step)
            some = np.asarray(weights[rows], np.float64)
            objects = some @ category.objects
            known[rows] += objects > 0
            total[rows] += _precision(category, some, np.maximum(objects, 1.0), recalls)
    means: npt.NDArray[np.float64] = total / np.maximum(known, 1.0)
    return means


def _categories(evaluator: Any, image_ids: Sequence[int]) -> Iterator[_Category]:
    """Those with objects. COCOeval keeps what it matched by category, area and picture."""
    column = {image_id: index for index, image_id in enumerate(image_ids)}
    ids, areas = evaluator.params.imgIds, len(evaluator.params.areaRng)
    thresholds = len(evaluator.params.iouThrs)
    for number in range(len(evaluator.params.catIds)):
        first = number * areas * len(ids)  # area 0 is any
        objects = np.zeros(len(image_ids))
        scores: list[npt.NDArray[np.float64]] = [np.zeros(0)]
        images: list[npt.NDArray[np.intp]] = [np.zeros(0, np.intp)]
        matched: list[npt.NDArray[np.bool_]] = [np.zeros((thresholds, 0), bool)]
        ignored: list[npt.NDArray[np.bool_]] = [np.zeros((thresholds, 0), bool)]
        for image_id, found in zip(ids, evaluator.evalImgs[first : first + len(ids)], strict=True):
            if found is None:
                continue
            objects[column[image_id]] = np.count_nonzero(np.asarray(found["gtIgnore"]) == 0)
            scores.append(np.asarray(found["dtScores"], np.float64))
            images.append(np.full(len(found["dtScores"]), column[image_id]))
            matched.append(np.asarray(found["dtMatches"]) > 0)
            ignored.append(np.asarray(found["dtIgnore"], bool))
        if objects.any():
            # The order of COCOeval: stable, picture after picture.
            order = np.argsort(-np.concatenate(scores), kind="stable")
            out = np.concatenate(ignored, axis=1)[:, order]
            hits = np.concatenate(matched, axis=1)[:, order] & ~out
            last = int(np.flatnonzero(hits.any(axis=0))[-1]) + 1 if hits.any() else 0
            yield _Category(
                np.concatenate(images)[order][:last], hits[:, :last], out[:, :last], objects
            )


def _precision(
    category: _Category,
    weights: npt.NDArray[np.float64],
    objects: npt.NDArray[np.float64],
    recalls: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """[resamples]: mean over IoU thresholds of the mean precision at the recalls."""
    counted = weights[:, category.image]
    ranked = np.cumsum(counted, axis=1)
    sums, last = np.zeros(len(weights)), np.zeros(len(weights))
    both = np.stack([category.found, category.ignored], axis=1)
    for at, (found, ignored) in enumerate(both):
        if at and np.array_equal(both[at], both[at - 1]):
            sums += last  # most boxes fit as well at the next threshold
            continue
        hits = np.flatnonzero(found)
        if not len(hits):
            last = np.zeros(len(weights))
            continue
        right = np.cumsum(counted[:, hits], axis=1)
        shown = ranked[:, hits]
        if ignored.any():
            shown = shown - np.cumsum(counted * ignored, axis=1)[:, hits]
        precision = right / np.maximum(shown, 1.0)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = np.searchsorted(recalls, right / objects[:, np.newaxis], "right")
        reached[:, 1:] -= reached[:, :-1].copy()
        last = (best * reached).sum(axis=1)
        sums += last
    mean: npt.NDArray[np.float64] = sums / (len(category.found) * len(recalls))
    return mean

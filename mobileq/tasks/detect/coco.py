"""Detection accuracy as COCO measures it, with labels or against a reference's detections.

All mean average precisions are pycocotools' own numbers. COCO counts the 100 best detections of a
class in a picture, and so do the scores against labels; two models are compared in all they find.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileq.errors import InputError
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.arrays import FloatArray

CocoResult = dict[str, Any]
"""`image_id`, `category_id`, `bbox` (left, top, width, height in pixels), `score`."""

REFERENCE_SCORE = 0.25
"""Score from which on a detection of the reference is taken for the truth."""
_COCO_HIGHEST_ID = 90
_COCO_DETECTIONS = 100
"""Detections of a class in a picture that COCO counts."""


@dataclass(frozen=True)
class DetectionScores:
    """Average precisions over `image_count` pictures, each 0 to 1.

    Attributes:
        map50_95: Mean over IoU thresholds 0.50 to 0.95, all classes with objects.
        map50: At IoU 0.5.
        map75: At IoU 0.75.
        image_count: Pictures that were measured.
        per_class: `map50_95` by category id, for the categories with objects in the pictures.
    """

    map50_95: float
    map50: float
    map75: float
    image_count: int
    per_class: dict[int, float] = field(default_factory=dict)


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


def mean_average_precision(
    ground_truth: Mapping[str, Any],
    results: Sequence[CocoResult],
    image_ids: Collection[int],
) -> DetectionScores:
    """Measure detections against labels with pycocotools' COCOeval.

    Args:
        ground_truth: A COCO detection JSON, as read; left unchanged. Annotations may lack `id`,
            `area` and `iscrowd`.
        results: As `to_coco_results` gives them; those of other pictures are ignored.
        image_ids: Pictures to measure on; one without any result counts as nothing found.

    Returns:
        The scores; 0.0 where nothing was found or nothing was there to find.

    Raises:
        InputError: `ground_truth` is no COCO detection JSON, or lacks one of the pictures.
    """
    wanted = set(image_ids)
    truth = _complete(ground_truth, wanted)
    found = [dict(result) for result in results if result["image_id"] in wanted]
    if not found or not truth["annotations"]:
        with_objects = sorted({a["category_id"] for a in truth["annotations"]})
        return DetectionScores(0.0, 0.0, 0.0, len(wanted), dict.fromkeys(with_objects, 0.0))
    return _scores(_evaluate(truth, found, _COCO_DETECTIONS), len(wanted))


def to_coco_results(
    detections: Detections, image_id: int, category_ids: Sequence[int]
) -> list[CocoResult]:
    """Detections in source pixels as COCO results: boxes to 1/1000 px, scores to 6 decimals.

    Args:
        detections: Of one picture.
        image_id: Its id in the ground truth.
        category_ids: Category id of each class, as `category_ids_for` gives them.
    """
    corners = detections.xyxy.astype(np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return [
        {
            "image_id": image_id,
            "category_id": int(category_ids[class_id]),
            "bbox": [round(value, 3) for value in box],
            "score": round(score, 6),
        }
        for box, score, class_id in zip(
            boxes.tolist(), detections.score.tolist(), detections.class_id.tolist(), strict=True
        )
    ]


def category_ids_for(
    labels: Sequence[str], class_count: int, categories: Sequence[Mapping[str, Any]]
) -> tuple[int, ...]:
    """COCO category id of each of a model's classes.

    By name where every label is a category's name (case and outer spaces aside); else in the
    order of the ids where there are as many classes as categories; else, for the 90 or 91 classes
    of TensorFlow's SSD models, which keep the gaps in COCO's ids, as class + 1.

    Args:
        labels: The model's class names, or none.
        class_count: The model's classes.
        categories: `categories` of the ground truth: `id`, and `name` where there are names.

    Raises:
        InputError: None of these applies.
    """
    ids = sorted(int(category["id"]) for category in categories)
    by_name = {_plain(str(c["name"])): int(c["id"]) for c in categories if c.get("name")}
    names = [_plain(label) for label in labels]
    if len(set(names)) == class_count == len(names) and all(name in by_name for name in names):
        return tuple(by_name[name] for name in names)
    if class_count == len(ids):
        return tuple(ids)
    if class_count in (90, 91) and ids and ids[-1] == _COCO_HIGHEST_ID and ids[0] >= 1:
        return tuple(range(1, class_count + 1))
    raise InputError(
        f"The model has {class_count} classes and the annotations have {len(ids)} categories, "
        "and their names do not tell which is which.",
        "Give a labels file whose names are those of the annotations.",
    )


def agreement(
    reference: Sequence[Detections],
    candidate: Sequence[Detections],
    reference_score: float = REFERENCE_SCORE,
) -> AgreementScores:
    """Measure a candidate's detections against a reference's on the same pictures.

    Where the reference found nothing at all, a candidate that found nothing either scores 1.0
    throughout (but `mean_iou`), any other 0.0.

    Args:
        reference: One per picture, in source pixels.
        candidate: The same pictures in the same order; with low scores included, as
            `Thresholds.evaluation()` gives them, the average precisions are as COCO means them.
        reference_score: Detections from here upwards count.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(reference) != len(candidate):
        raise ValueError(f"{len(reference)} pictures of the reference, {len(candidate)} others")
    lowest = np.float32(reference_score)
    truth = [found[found.score >= lowest] for found in reference]
    shown = [found[found.score >= lowest] for found in candidate]
    truth_count, shown_count = sum(map(len, truth)), sum(map(len, shown))
    if truth_count:
        scores = _map_against(truth, candidate)
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


def _plain(name: str) -> str:
    return name.strip().casefold()


def _share(part: int, whole: int, others: int) -> float:
    """`part / whole`; of nothing, all was right if the other side has nothing either."""
    if whole:
        return part / whole
    return 0.0 if others else 1.0


def _map_against(truth: Sequence[Detections], candidate: Sequence[Detections]) -> DetectionScores:
    """pycocotools on detections as the truth; classes become categories from 1.

    Classes that the truth has nothing of count for nothing, and are most of the work.
    """
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
        return DetectionScores(0.0, 0.0, 0.0, len(pictures))
    # Of dense pictures COCO's 100 would be but a part, and exact copies seem to find the half.
    most = max(len(found) for found in candidate)
    return _scores(_evaluate(_complete(ground_truth, pictures), results, most), len(pictures))


def _pixel_wide(found: Detections) -> Detections:
    """Sides under a pixel, as of boxes that are cut off at the picture's edge, widened to one.

    Else a thousandth of a pixel, which rounding alone makes, is a large part of such a box.
    """
    low, high = found.xyxy[:, :2], found.xyxy[:, 2:]
    missing = np.maximum(1.0 - (high - low), 0.0) / 2.0
    return Detections(np.hstack([low - missing, high + missing]), found.score, found.class_id)


def _complete(ground_truth: Mapping[str, Any], wanted: set[int]) -> dict[str, Any]:
    """The wanted pictures' part of a COCO JSON, with what COCOeval needs and files may lack."""
    try:
        images = [{"id": i["id"]} for i in ground_truth["images"] if i["id"] in wanted]
        categories = [{"id": category["id"]} for category in ground_truth["categories"]]
        chosen = [a for a in ground_truth["annotations"] if a["image_id"] in wanted]
        annotations = [
            {
                "id": number,  # own numbers: COCOeval takes an id of 0 for "not matched"
                "image_id": a["image_id"],
                "category_id": a["category_id"],
                "bbox": list(a["bbox"]),
                "area": a.get("area", a["bbox"][2] * a["bbox"][3]),
                "iscrowd": a.get("iscrowd", 0),
            }
            for number, a in enumerate(chosen, start=1)
        ]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"The annotations are not in COCO's detection format: {error!r} is wrong or missing.",
            "Give a COCO JSON with images, categories and annotations with boxes.",
        ) from error
    if missing := wanted - {image["id"] for image in images}:
        raise InputError(
            f"The annotations lack {len(missing)} of the {len(wanted)} pictures "
            f"(id {min(missing)} for one).",
            "Give the annotations of these pictures.",
        )
    return {"images": images, "categories": categories, "annotations": annotations}


def _evaluate(truth: dict[str, Any], found: list[CocoResult], most: int) -> Any:
    """A COCOeval that has accumulated `most` detections of a class in a picture; what it prints is
    swallowed."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluator.params.maxDets = [most]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def _scores(evaluator: Any, image_count: int) -> DetectionScores:
    """The means that COCOeval's `summarize` gives; that one knows no limit but 100."""
    precision = evaluator.eval["precision"][:, :, :, 0, -1]  # [IoU, recall, category], all areas
    thresholds = evaluator.params.iouThrs

    def mean(values: npt.NDArray[np.float64]) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else 0.0

    return DetectionScores(
        map50_95=mean(precision),
        map50=mean(precision[np.isclose(thresholds, 0.5)]),
        map75=mean(precision[np.isclose(thresholds, 0.75)]),
        image_count=image_count,
        per_class=_per_class(evaluator),
    )


def _per_class(evaluator: Any) -> dict[int, float]:
    """Mean precision over IoU and recall, all areas, of categories with objects."""
    precision = evaluator.eval["precision"][:, :, :, 0, -1]  # [IoU, recall, category]
    return {
        int(category_id): float(precision[:, :, index].mean())
        for index, category_id in enumerate(evaluator.params.catIds)
        if precision[0, 0, index] > -1
    }

"""Detection accuracy as COCO measures it, with labels.

All mean average precisions are pycocotools' own numbers. COCO counts the 100 best detections of a
class in a picture, and so do these; two models are compared in all they find, see
`mobileq.tasks.detect.agreement`.
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

CocoResult = dict[str, Any]
"""`image_id`, `category_id`, `bbox` (left, top, width, height in pixels), `score`."""

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
    return matched(ground_truth, results, tuple(image_ids)).scores


@dataclass(frozen=True)
class Matched:
    """Detections that COCOeval has matched with what there is to find.

    Attributes:
        evaluator: None where one side has nothing.
        image_ids: The pictures.
        categories: Those with objects.
    """

    evaluator: Any
    image_ids: Sequence[int]
    categories: tuple[int, ...] = ()

    @property
    def scores(self) -> DetectionScores:
        """Of all pictures."""
        count = len(set(self.image_ids))
        if self.evaluator is None:
            return DetectionScores(0.0, 0.0, 0.0, count, dict.fromkeys(self.categories, 0.0))
        return _scores(self.evaluator, count)

    def resampled(self, weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`scores.map50_95`, [resamples], had each picture counted as often as `weights`,
        [resamples, pictures], say."""
        from mobileq.tasks.detect.resampling import resampled_precision

        if self.evaluator is None:
            return np.zeros(len(weights))
        return resampled_precision(self.evaluator, self.image_ids, weights)


def matched(
    ground_truth: Mapping[str, Any], results: Sequence[CocoResult], image_ids: Sequence[int]
) -> Matched:
    """As of `mean_average_precision`."""
    wanted = set(image_ids)
    truth = complete(ground_truth, wanted)
    found = [dict(result) for result in results if result["image_id"] in wanted]
    if not found or not truth["annotations"]:
        categories = sorted({a["category_id"] for a in truth["annotations"]})
        return Matched(None, image_ids, tuple(categories))
    return Matched(evaluated(truth, found, _COCO_DETECTIONS), image_ids)


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


def _plain(name: str) -> str:
    return name.strip().casefold()


def complete(ground_truth: Mapping[str, Any], wanted: set[int]) -> dict[str, Any]:
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


def evaluated(truth: dict[str, Any], found: list[CocoResult], most: int) -> Any:
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
        # Small, medium and large objects apart are three quarters of the work, and not looked at.
        del evaluator.params.areaRng[1:], evaluator.params.areaRngLbl[1:]
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

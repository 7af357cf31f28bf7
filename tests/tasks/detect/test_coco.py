from __future__ import annotations

import copy

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobileq.errors import InputError
from mobileq.tasks.detect.coco import (
    category_ids_for,
    matched,
    mean_average_precision,
    to_coco_results,
)
from mobileq.tasks.detect.detections import Detections

CATEGORIES = [{"id": 3, "name": "Cat"}, {"id": 1, "name": "dog"}, {"id": 9, "name": "bird"}]
SPARSE = [{"id": number} for number in range(1, 91) if number % 8]


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5])


def truth(*boxes: tuple[int, int, list[float]], images: int = 2) -> dict:
    """Annotations (image, category, bbox), with as little as may be given."""
    return {
        "images": [{"id": number} for number in range(images)],
        "categories": CATEGORIES,
        "annotations": [
            {"image_id": image, "category_id": category, "bbox": bbox}
            for image, category, bbox in boxes
        ],
    }


def result(image: int, category: int, bbox: list[float], score: float) -> dict:
    return {"image_id": image, "category_id": category, "bbox": bbox, "score": score}


# mean_average_precision


def test_finding_everything_scores_one():
    labels = truth((0, 1, [0, 0, 10, 10]), (1, 3, [5, 5, 20, 20]))
    found = [result(0, 1, [0, 0, 10, 10], 0.9), result(1, 3, [5, 5, 20, 20], 0.8)]
    scores = mean_average_precision(labels, found, [0, 1])
    assert (scores.map50_95, scores.map50, scores.map75) == pytest.approx((1, 1, 1))
    assert scores.per_class == pytest.approx({1: 1.0, 3: 1.0})
    assert scores.image_count == 2


def test_numbers_are_those_of_pycocotools(capsys: pytest.CaptureFixture[str]):
    random = np.random.default_rng(3)
    labels, found = truth(images=6), []
    for image in range(6):
        for category in (1, 3, 9):
            for number in range(4):
                x, y, w, h = random.uniform(5, 60, 4).tolist()
                annotation = result(image, category, [x, y, w, h], 0)
                annotation |= {"id": len(labels["annotations"]) + 1, "area": w * h, "iscrowd": 0}
                labels["annotations"].append(annotation)
                shift = random.normal(0, 4, 4)
                box = [x + shift[0], y + shift[1], w + shift[2], h + shift[3]]
                if number:
                    found.append(result(image, category, box, random.uniform()))
    reference = COCO()
    reference.dataset = copy.deepcopy(labels)
    reference.createIndex()
    evaluator = COCOeval(reference, reference.loadRes(copy.deepcopy(found)), "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    capsys.readouterr()
    scores = mean_average_precision(labels, found, range(6))
    assert (scores.map50_95, scores.map50, scores.map75) == tuple(evaluator.stats[:3])
    assert 0.05 < scores.map50_95 < 0.9
    assert np.mean(list(scores.per_class.values())) == pytest.approx(scores.map50_95)
    assert capsys.readouterr().out == ""


def test_objects_are_matched_once_and_not_by_their_areas_as_well():
    labels, found = truth((0, 1, [0, 0, 10, 10])), [result(0, 1, [0, 0, 10, 10], 0.9)]
    evaluator = matched(labels, found, [0, 1]).evaluator
    assert len(evaluator.evalImgs) == len(labels["categories"]) * 2


def test_arguments_are_left_alone():
    labels, found = truth((0, 1, [0, 0, 10, 10])), [result(0, 1, [0, 0, 10, 10], 0.9)]
    before = copy.deepcopy((labels, found))
    mean_average_precision(labels, found, [0])
    assert (labels, found) == before


def test_nothing_found_scores_zero():
    scores = mean_average_precision(truth((0, 1, [0, 0, 10, 10])), [], [0, 1])
    assert (scores.map50_95, scores.map50) == (0.0, 0.0)
    assert scores.per_class == {1: 0.0}


def test_nothing_to_find_scores_zero():
    found = [result(0, 1, [0, 0, 10, 10], 0.9)]
    assert mean_average_precision(truth(), found, [0, 1]).map50_95 == 0.0


def test_only_the_wanted_pictures_count():
    labels = truth((0, 1, [0, 0, 10, 10]), (1, 1, [0, 0, 10, 10]))
    found = [result(0, 1, [0, 0, 10, 10], 0.9), result(7, 1, [0, 0, 10, 10], 0.9)]
    assert mean_average_precision(labels, found, [0]).map50_95 == pytest.approx(1.0)
    assert mean_average_precision(labels, found, [0, 1]).map50_95 == pytest.approx(0.5, abs=0.01)


def test_categories_that_the_labels_lack_are_ignored():
    labels = truth((0, 1, [0, 0, 10, 10]))
    found = [result(0, 1, [0, 0, 10, 10], 0.5), result(0, 77, [0, 0, 10, 10], 0.9)]
    scores = mean_average_precision(labels, found, [0])
    assert scores.map50_95 == pytest.approx(1.0)
    assert list(scores.per_class) == [1]


def test_pictures_that_the_labels_lack_are_named():
    with pytest.raises(InputError, match=r"lack 1 of the 2 pictures \(id 5 for one\)"):
        mean_average_precision(truth(), [], [0, 5])


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"images": [], "categories": []},
        {"images": None, "categories": [], "annotations": []},
        truth((0, 1, [])),
    ],
)
def test_other_json_is_refused(labels):
    with pytest.raises(InputError, match="not in COCO's detection format"):
        mean_average_precision(labels, [], [0] if labels.get("annotations") else [])


# to_coco_results


def test_results_are_corner_width_and_height():
    found = detections((10.12345, 20, 30.5, 45.25, 0.123456789, 1))
    assert to_coco_results(found, 42, [3, 9]) == [
        {"image_id": 42, "category_id": 9, "bbox": [10.123, 20.0, 20.377, 25.25], "score": 0.123457}
    ]
    assert to_coco_results(Detections.empty(), 42, [3, 9]) == []


# category_ids_for


def test_names_decide_whatever_the_order():
    assert category_ids_for(["bird", " CAT", "Dog"], 3, CATEGORIES) == (9, 3, 1)
    assert category_ids_for(["bird"], 1, CATEGORIES) == (9,)


@pytest.mark.parametrize("labels", [(), ("cat", "dog", "fish"), ("cat", "cat", "dog")])
def test_without_matching_names_the_order_of_ids_decides(labels):
    assert category_ids_for(labels, 3, CATEGORIES) == (1, 3, 9)
    assert category_ids_for(labels, 3, [{"id": 2}, {"id": 1}, {"id": 5}]) == (1, 2, 5)


@pytest.mark.parametrize("class_count", [90, 91])
def test_ssd_classes_keep_the_gaps_of_the_ids(class_count):
    assert category_ids_for((), class_count, SPARSE) == tuple(range(1, class_count + 1))


@pytest.mark.parametrize(
    ("class_count", "categories"),
    [(2, CATEGORIES), (90, CATEGORIES), (80, []), (91, [{"id": 0}, {"id": 90}])],
)
def test_classes_that_cannot_be_told_apart_are_an_error(class_count, categories):
    with pytest.raises(InputError, match=f"The model has {class_count} classes"):
        category_ids_for((), class_count, categories)


def test_accuracy_counts_a_hundred_of_a_class_as_coco_does():
    boxes = [[20.0 * n, 0.0, 15.0, 10.0] for n in range(200)]
    labels = truth(*((0, 1, box) for box in boxes), images=1)
    found = [result(0, 1, box, 0.9 - n / 1000) for n, box in enumerate(boxes)]
    assert mean_average_precision(labels, found, [0]).map50_95 == pytest.approx(0.5, abs=0.01)

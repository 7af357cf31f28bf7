"""mAP of resampled pictures is pycocotools' number on pictures that were drawn as often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.bootstrap import resamples, standard_error
from mobileq.tasks.detect import agreement
from mobileq.tasks.detect.coco import matched, mean_average_precision
from mobileq.tasks.detect.detections import Detections

CLASSES = 3


def _drawn(seed: int, pictures: int) -> tuple[dict, list[dict]]:
    """Objects, some in crowds, and detections: near them, twice, elsewhere, of equal scores."""
    random = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(pictures):
        for _ in range(random.integers(0, 6)):
            box = [*random.uniform(0, 200, 2), *random.uniform(5, 80, 2)]
            category = int(random.integers(0, CLASSES))
            annotations.append(
                {
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "iscrowd": int(random.random() < 0.15),
                }
            )
            for _ in range(random.integers(0, 4)):
                near = (np.array(box) + random.normal(0, 4, 4)).clip(1).tolist()
                score = round(float(random.random()), 1)
                results.append(
                    {"image_id": image, "category_id": category, "bbox": near, "score": score}
                )
    truth = {
        "images": [{"id": image} for image in range(pictures)],
        "categories": [{"id": category} for category in range(CLASSES)],
        "annotations": annotations,
    }
    return truth, results


def _repeated(truth: dict, results: list[dict], times: np.ndarray) -> tuple[dict, list[dict], set]:
    """The pictures as often as they were drawn, each under a number of its own."""
    images, annotations, found = [], [], []
    for image, count in enumerate(times.astype(int).tolist()):
        for _ in range(count):
            number = len(images)
            images.append({"id": number})
            for source, target in ((truth["annotations"], annotations), (results, found)):
                target += [
                    {**each, "image_id": number} for each in source if each["image_id"] == image
                ]
    return {**truth, "images": images, "annotations": annotations}, found, set(range(len(images)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_it_is_pycocotools_score_of_all_pictures_and_of_some(seed: int, pictures: int) -> None:
    truth, results = _drawn(seed, pictures)
    some = np.random.default_rng(seed).integers(0, 2, (2, pictures))
    weights = np.vstack([np.ones(pictures), some])
    found = matched(truth, results, range(pictures)).resampled(weights)
    for times, figure in zip(weights, found, strict=True):
        wanted = mean_average_precision(*_repeated(truth, results, times))
        assert figure == pytest.approx(wanted.map50_95, abs=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_pictures_that_are_drawn_twice_count_twice(seed: int) -> None:
    # Of different scores: among equal ones copies of a picture stand together here, there apart.
    truth, results = _drawn(seed, 6)
    scores = np.random.default_rng(seed).permutation(len(results)) / max(1, len(results))
    results = [{**each, "score": float(s)} for each, s in zip(results, scores, strict=True)]
    (times,) = resamples(6, 1, seed)
    found = matched(truth, results, range(6)).resampled(times[np.newaxis])
    wanted = mean_average_precision(*_repeated(truth, results, times))
    assert found[0] == pytest.approx(wanted.map50_95, abs=1e-9)


def _found(seed: int, count: int, shift: float = 0.0) -> Detections:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 200, (count, 2))
    boxes = np.hstack([corners, corners + random.uniform(20, 60, (count, 2))]) + shift
    return Detections(boxes, random.uniform(0.1, 1, count), random.integers(0, CLASSES, count))


def test_an_agreement_is_resampled_likewise() -> None:
    reference = [_found(seed, 12) for seed in range(9)]
    candidate = [_found(seed, 12, shift=seed / 2) for seed in range(9)]
    found = agreement.matched(reference, candidate).resampled(np.ones((1, 9)))
    wanted = agreement.agreement(reference, candidate).map50_95
    assert found[0] == pytest.approx(wanted, abs=1e-9)
    assert found[0] < 0.95
    nothing = [each[:0] for each in reference]
    for pair in ((nothing, candidate), (reference, nothing)):
        assert agreement.matched(*pair).resampled(np.ones((2, 9))).tolist() == [0.0, 0.0]


def test_where_no_picture_counts_it_is_zero() -> None:
    truth, results = _drawn(3, 4)
    assert matched(truth, results, range(4)).resampled(np.zeros((2, 4))).tolist() == [0.0, 0.0]


def test_resamples_are_the_same_for_as_many_pictures_and_draw_that_many() -> None:
    first = resamples(20, 50)
    assert np.array_equal(first, resamples(20, 50))
    assert (first.sum(axis=1) == 20).all()
    assert not np.array_equal(first, resamples(20, 50, seed=1))


def test_the_standard_error_of_a_share_is_the_known_one() -> None:
    hits = np.arange(400) < 100
    error = standard_error(resamples(400) @ hits / 400)
    assert error == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.1)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.tasks.detect.agreement import agreement, box_iou, match
from mobileq.tasks.detect.detections import Detections


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5])


def test_a_model_agrees_with_itself():
    found = [detections((0, 0, 10, 10, 0.9, 0), (5, 5, 30, 30, 0.1, 1)), Detections.empty()]
    scores = agreement(found, found)
    assert (scores.map50_95, scores.map50) == pytest.approx((1, 1))
    assert scores.recall == scores.precision == 1.0
    assert scores.mean_iou == 1.0
    assert scores.max_box_difference == scores.max_score_difference == 0.0
    assert scores.reference_count == scores.candidate_count == scores.matched_count == 1


@pytest.mark.parametrize("count", [101, 280])
def test_a_model_agrees_with_itself_however_much_it_finds(count: int):
    rows = [(20 * n, 0, 20 * n + 15, 10, 0.9 - n / 1000, 0) for n in range(count)]
    scores = agreement([detections(*rows)], [detections(*rows)])
    assert (scores.map50_95, scores.map50) == pytest.approx((1, 1))
    half = agreement([detections(*rows)], [detections(*rows[::2])])
    assert half.map50_95 == pytest.approx(0.5, abs=0.01)


def test_differences_of_matched_pairs_are_measured():
    reference = [detections((0, 0, 10, 10, 0.9, 0), (50, 50, 70, 70, 0.5, 2))]
    candidate = [detections((0, 0, 10, 8, 0.7, 0), (50, 50, 70, 70, 0.6, 1))]
    scores = agreement(reference, candidate)
    assert (scores.recall, scores.precision, scores.matched_count) == (0.5, 0.5, 1)
    assert scores.mean_iou == pytest.approx(0.8)
    assert scores.max_box_difference == 2
    assert scores.max_score_difference == pytest.approx(0.2)
    assert scores.map50 == pytest.approx(0.5)
    assert 0.3 < scores.map50_95 < 0.4  # found at 0.50 to 0.75 or 0.80, one of two classes


def test_low_scores_of_the_candidate_count_for_the_ranking_only():
    reference = [detections((0, 0, 10, 10, 0.3, 0))]
    candidate = [detections((0, 0, 10, 10, 0.2, 0))]
    scores = agreement(reference, candidate)
    assert (scores.recall, scores.candidate_count) == (0.0, 0)
    assert scores.map50_95 == pytest.approx(1.0)


def test_nothing_agrees_with_nothing():
    empty = [Detections.empty()]
    ghost = [detections((0, 0, 10, 10, 0.9, 0))]
    weak = [detections((0, 0, 10, 10, 0.1, 0))]
    for candidate in (empty, weak):
        scores = agreement(empty, candidate)
        assert (scores.map50_95, scores.recall, scores.precision) == (1.0, 1.0, 1.0)
    scores = agreement(empty, ghost)
    assert (scores.map50_95, scores.recall, scores.precision) == (0.0, 0.0, 0.0)
    scores = agreement(ghost, empty)
    assert (scores.map50_95, scores.recall, scores.precision) == (0.0, 0.0, 0.0)
    assert scores.mean_iou == 0.0


def test_pictures_must_be_the_same():
    with pytest.raises(ValueError, match="1 pictures"):
        agreement([Detections.empty()], [])


def test_the_best_candidate_takes_the_best_reference():
    reference = detections((0, 0, 10, 10, 0.5, 0), (1, 0, 11, 10, 0.9, 0))
    candidate = detections((2, 0, 12, 10, 0.6, 0), (1, 0, 11, 10, 0.8, 0), (1, 0, 11, 10, 0.5, 0))
    pairs = match(reference, candidate)
    assert [(left, right) for left, right, _ in pairs] == [(1, 1), (0, 0)]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_matches_are_one_to_one_and_of_one_class(seed):
    random = np.random.default_rng(seed)

    def some() -> Detections:
        corner = random.uniform(0, 10, (12, 2))
        boxes = np.concatenate([corner, corner + random.uniform(0, 20, (12, 2))], axis=1)
        return Detections(boxes, random.uniform(0, 1, 12), random.integers(0, 2, 12))

    reference, candidate = some(), some()
    pairs = match(reference, candidate)
    assert (
        len({left for left, _, _ in pairs}) == len({right for _, right, _ in pairs}) == len(pairs)
    )
    for left, right, iou in pairs:
        assert iou >= 0.5
        assert reference.class_id[left] == candidate.class_id[right]
    scores = agreement([reference], [candidate], 0.0)
    assert 0 <= scores.map50_95 <= 1
    assert scores.matched_count == len(pairs)


def test_iou_of_boxes_without_area_is_zero():
    line = np.array([[0, 0, 0, 10]], np.float32)
    assert box_iou(line, line).tolist() == [[0.0]]

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.candidates import Candidates
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.nms import Thresholds, box_areas, overlapping, select, suppress

LOOSE = Thresholds(score=0.1, iou=0.5)


def candidates(xyxy, scores) -> Candidates:
    return Candidates(np.array(xyxy, np.float32).reshape(-1, 4), np.array(scores, np.float32))


@st.composite
def crowds(draw: st.DrawFn) -> Candidates:
    """Boxes on a coarse grid, so that many overlap, with scores that often tie."""
    count = draw(st.integers(0, 40))
    classes = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    corner = random.integers(0, 12, (count, 2))
    boxes = np.concatenate([corner, corner + random.integers(0, 8, (count, 2))], axis=1)
    return candidates(boxes, random.integers(0, 11, (count, classes)) / 10)


def suppress_by_hand(found: Candidates, thresholds: Thresholds) -> list[tuple[int, int]]:
    """Pairs (candidate, class) that greedy suppression keeps, one comparison at a time."""
    assert found.scores is not None
    pairs = [
        (-float(score), anchor, label)
        for anchor, row in enumerate(found.scores)
        for label, score in enumerate(row)
        if score >= np.float32(thresholds.score)
        and (thresholds.multi_label or label == int(row.argmax()))
    ]
    kept: list[tuple[int, int]] = []
    for _, anchor, label in sorted(pairs)[: thresholds.max_candidates]:
        rivals = [a for a, other in kept if other == label]
        if not any(iou_by_hand(found.xyxy[a], found.xyxy[anchor]) > thresholds.iou for a in rivals):
            kept.append((anchor, label))
    return kept[: thresholds.max_detections]


def iou_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(0.0, float(width)) * max(0.0, float(height))
    union = float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - inter
    return inter / union if union > 0 else 0.0


@given(crowds(), st.sampled_from([0.25, 0.45, 0.7]), st.booleans(), st.integers(1, 20))
def test_selection_equals_comparing_every_pair(found, iou, multi_label, limit):
    thresholds = Thresholds(score=0.3, iou=iou, max_detections=limit, multi_label=multi_label)
    chosen = select(found, thresholds)
    expected = suppress_by_hand(found, thresholds)
    assert chosen.class_id.tolist() == [label for _, label in expected]
    assert found.scores is not None
    assert chosen.score.tolist() == [found.scores[pair] for pair in expected]
    assert chosen.xyxy.tolist() == [found.xyxy[anchor].tolist() for anchor, _ in expected]


@pytest.mark.parametrize("classes", [1, 5])
@pytest.mark.parametrize("kept_of_all", [(20, 30000), (300, 30000), (300, 250)])
def test_selection_among_many_equals_comparing_every_pair(classes, kept_of_all):
    random = np.random.default_rng(classes)
    corner = random.integers(0, 60, (900 // classes, 2))
    boxes = np.concatenate([corner, corner + random.integers(4, 12, corner.shape)], axis=1)
    found = candidates(boxes, random.integers(0, 40, (len(boxes), classes)) / 40)
    limit, among = kept_of_all
    thresholds = Thresholds(0.1, 0.3, limit, multi_label=True, max_candidates=among)
    chosen, expected = select(found, thresholds), suppress_by_hand(found, thresholds)
    assert chosen.class_id.tolist() == [label for _, label in expected]
    assert chosen.xyxy.tolist() == [found.xyxy[anchor].tolist() for anchor, _ in expected]


@given(crowds(), st.booleans())
def test_detections_are_sorted_and_keep_their_distance(found, multi_label):
    chosen = select(found, Thresholds(score=0.1, iou=0.5, multi_label=multi_label))
    assert np.all(np.diff(chosen.score) <= 0)
    assert np.all(chosen.score >= np.float32(0.1))
    areas = box_areas(chosen.xyxy)
    for index in range(len(chosen)):
        rest = slice(index + 1, None)
        above = overlapping(
            chosen.xyxy[index], areas[index], chosen.xyxy[rest], areas[rest], LOOSE.iou
        )
        assert not np.any(above & (chosen.class_id[rest] == chosen.class_id[index]))


@given(crowds())
def test_selecting_again_changes_nothing(found):
    once = select(found, LOOSE)
    scores = np.zeros((len(once), 4), np.float32)
    scores[np.arange(len(once)), once.class_id] = once.score
    twice = select(Candidates(once.xyxy, scores), LOOSE)
    assert_same(once, twice)


@given(crowds(), st.randoms())
def test_order_of_candidates_matters_only_for_ties(found, random):
    assert found.scores is not None
    count, classes = found.scores.shape
    distinct = np.linspace(0.2, 0.9, count * classes, dtype=np.float32).reshape(count, classes)
    shuffled = list(range(count))
    random.shuffle(shuffled)
    thresholds = Thresholds(score=0.1, iou=0.5, multi_label=True)
    first = select(Candidates(found.xyxy, distinct), thresholds)
    second = select(Candidates(found.xyxy[shuffled], distinct[shuffled]), thresholds)
    assert_same(first, second)


def assert_same(first: Detections, second: Detections) -> None:
    np.testing.assert_array_equal(first.xyxy, second.xyxy)
    np.testing.assert_array_equal(first.score, second.score)
    np.testing.assert_array_equal(first.class_id, second.class_id)


def test_candidates_behind_the_first_thousands_are_looked_at_where_those_do_not_suffice():
    same, apart = [[0, 0, 9, 9]] * 2500, [[20, 0, 29, 9], [40, 0, 49, 9]]
    found = candidates(same + apart, [[0.9]] * 2500 + [[0.5], [0.6]])
    assert select(found, LOOSE).xyxy[:, 0].tolist() == [0, 40, 20]


def test_equal_scores_keep_the_order_of_anchors_then_classes():
    apart = [[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]]
    found = candidates(apart, [[0.5, 0.5], [0.5, 0.9], [0.2, 0.5]])
    chosen = select(found, Thresholds(score=0.5, iou=0.5, multi_label=True))
    assert chosen.xyxy[:, 0].tolist() == [20, 0, 0, 20, 40]
    assert chosen.class_id.tolist() == [1, 0, 1, 0, 1]


def test_single_label_takes_the_first_of_equal_classes():
    found = candidates([[0, 0, 9, 9]], [[0.1, 0.7, 0.7]])
    assert select(found, LOOSE).class_id.tolist() == [1]


def test_classes_do_not_suppress_each_other():
    found = candidates([[0, 0, 9, 9]] * 3, [[0.9, 0], [0, 0.8], [0.7, 0]])
    chosen = select(found, LOOSE)
    assert chosen.class_id.tolist() == [0, 1]
    assert chosen.score.tolist() == pytest.approx([0.9, 0.8])


def test_iou_exactly_at_the_threshold_survives():
    found = candidates([[0, 0, 10, 10], [0, 0, 10, 5]], [[0.9], [0.8]])  # IoU 0.5
    assert len(select(found, LOOSE)) == 2
    assert len(select(found, Thresholds(score=0.1, iou=0.49))) == 1


def test_score_exactly_at_the_threshold_counts():
    found = candidates([[0, 0, 10, 10]], [[0.1]])
    assert len(select(found, Thresholds(score=0.1, iou=0.5))) == 1
    assert len(select(found, Thresholds(score=0.1000001, iou=0.5))) == 0


def test_only_the_best_candidates_compete():
    found = candidates([[0, 0, 9, 9], [20, 0, 29, 9]], [[0.5], [0.9]])
    chosen = select(found, Thresholds(score=0.1, iou=0.5, max_candidates=1))
    assert chosen.xyxy[:, 0].tolist() == [20]


def test_decided_boxes_are_sorted_and_limited_but_not_suppressed():
    found = Candidates(
        xyxy=np.tile(np.float32([0, 0, 9, 9]), (4, 1)),
        score=np.float32([0.3, 0.9, 0.05, 0.3]),
        class_id=np.array([1, 2, 3, 4]),
    )
    assert select(found, LOOSE).class_id.tolist() == [2, 1, 4]
    limited = Thresholds(score=0.1, iou=0.5, max_detections=2)
    assert select(found, limited).class_id.tolist() == [2, 1]


@pytest.mark.parametrize("classes", [0, 1, 3])
def test_nothing_gives_nothing(classes):
    nothing = candidates(np.zeros((0, 4)), np.zeros((0, classes)))
    for multi_label in (False, True):
        chosen = select(nothing, Thresholds(score=0.1, iou=0.5, multi_label=multi_label))
        assert len(chosen) == 0


def test_boxes_and_scores_that_are_not_finite_are_left_out():
    boxes = [[0, 0, np.nan, 9], [0, 0, np.inf, 9], [20, 0, 29, 9], [40, 0, 49, 9]]
    found = candidates(boxes, [[0.9], [0.9], [0.8], [np.inf]])
    assert select(found, LOOSE).score.tolist() == pytest.approx([0.8])


def test_enormous_boxes_do_not_disturb():
    found = candidates([[-3e38, -3e38, 3e38, 3e38], [0, 0, 9, 9]], [[0.9], [0.8]])
    assert len(select(found, LOOSE)) == 2


def test_suppression_stops_at_its_limit():
    boxes = np.array([[i * 20, 0, i * 20 + 9, 9] for i in range(5)], np.float32)
    assert suppress(boxes, np.zeros(5, np.int64), 0.5, 3).tolist() == [0, 1, 2]


def test_thresholds_for_display_are_the_models_own():
    spec = DecodeSpec(
        kind="yolov8", class_count=1, outputs=(), score_threshold=0.4, iou_threshold=0.6
    )
    shown = Thresholds.display(spec)
    assert (shown.score, shown.iou, shown.multi_label) == (0.4, 0.6, False)
    measured = Thresholds.evaluation()
    assert (measured.score, measured.iou, measured.max_detections) == (0.001, 0.65, 300)
    assert measured.multi_label


def test_a_crowded_picture_is_selected_quickly():
    random = np.random.default_rng(0)
    corner = random.uniform(0, 600, (25200, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 200, (25200, 2))], axis=1)
    scores = random.uniform(0, 1, (25200, 80)) ** 60  # about a tenth of the pairs pass
    found = candidates(boxes, scores)
    started = time.process_time()
    select(found, Thresholds.evaluation())
    assert time.process_time() - started < 2.0  # about 0.1 s; a loop over pairs takes minutes

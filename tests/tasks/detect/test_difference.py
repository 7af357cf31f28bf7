"""What two detectors find otherwise in a picture is told in words, the most first."""

from __future__ import annotations

import numpy as np
import pytest

from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.difference import difference

LABELS = ("star", "square")
STAR, SQUARE = (0, 0, 10, 10), (20, 20, 30, 30)


def boxes(*found: tuple[tuple[float, ...], float, int]) -> Detections:
    return Detections(
        np.array([each[0] for each in found], np.float32).reshape(-1, 4),
        np.array([each[1] for each in found], np.float32),
        np.array([each[2] for each in found], np.int64),
    )


def told(wanted: Detections, found: Detections) -> tuple[str, ...]:
    return difference(wanted, found, LABELS, 0.25).told


def test_nothing_is_told_of_the_same_and_of_what_nobody_sees():
    both = boxes((STAR, 0.9, 0), (SQUARE, 0.8, 1))
    near = boxes((STAR, 0.88, 0), ((20, 20, 30, 30.2), 0.8, 1))
    for found in (both, near):
        assert difference(both, found, LABELS, 0.25).told == ()
        assert difference(both, found, LABELS, 0.25).amount == 0.0


def test_a_score_a_box_what_is_missing_and_what_is_new():
    wanted = boxes((STAR, 0.9, 0), (SQUARE, 0.8, 1), ((50, 50, 60, 60), 0.5, 1))
    found = boxes((STAR, 0.6, 0), ((20, 20, 30, 38), 0.8, 1), ((80, 80, 90, 90), 0.3, 0))
    assert told(wanted, found) == (
        "square 0.50 missing",
        "square 0.80 in a box of IoU 0.56",
        "star 0.30 new",
        "star 0.60 instead of 0.90",
    )
    assert difference(wanted, found, LABELS, 0.25).amount == pytest.approx(
        0.5 + (1 - 10 / 18) + 0.3 + 0.3, abs=1e-6
    )


def test_a_score_that_sinks_just_below_what_is_shown_is_no_object_lost():
    assert told(boxes((STAR, 0.26, 0)), boxes((STAR, 0.24, 0))) == ()
    assert told(boxes((STAR, 0.26, 0)), boxes((STAR, 0.1, 0))) == ("star 0.10 instead of 0.26",)
    assert told(boxes((STAR, 0.2, 0)), boxes()) == ()


def test_another_class_in_the_same_place_is_another_object():
    assert told(boxes((STAR, 0.9, 0)), boxes((STAR, 0.8, 7))) == (
        "star 0.90 missing",
        "class 7 0.80 new",
    )


def test_scores_and_boxes_of_what_both_show_are_numbers_too():
    wanted = boxes((STAR, 0.9, 0), (SQUARE, 0.8, 1), ((50, 50, 60, 60), 0.5, 1))
    found = boxes((STAR, 0.6, 0), ((20, 20, 30, 38), 0.8, 1), ((80, 80, 90, 90), 0.3, 0))
    values = difference(wanted, found, LABELS, 0.25).values
    scores, beside = values["score of an object"], values["box of an object, 1 - IoU"]
    assert sorted(scores) == pytest.approx([-0.3, 0.0], abs=1e-6)
    assert sorted(beside) == pytest.approx([0.0, 1 - 10 / 18], abs=1e-6)

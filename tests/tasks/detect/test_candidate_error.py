"""One number for how far candidates moved: it must rise with every kind of damage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mobileq.tasks.detect.candidate_error import candidate_error
from mobileq.tasks.detect.decode import Candidates

CLASSES = 3
COUNTS = st.integers(1, 12)
NUMBERS = st.floats(-400, 400, width=32)


@st.composite
def candidates(draw: st.DrawFn) -> Candidates:
    """Some boxes that are not turned inside out; the first cell sees something."""
    count = draw(COUNTS)
    corners = draw(hnp.arrays(np.float32, (count, 2), elements=NUMBERS))
    sides = draw(hnp.arrays(np.float32, (count, 2), elements=st.floats(0, 300, width=32)))
    scores = draw(hnp.arrays(np.float32, (count, CLASSES), elements=st.floats(0, 1, width=32)))
    scores[0, 0] = np.float32(0.5)
    return Candidates(np.hstack([corners, corners + sides]), scores)


def two(score: float = 0.8, shift: float = 0.0) -> Candidates:
    """A box of 100 x 50 px with a score, and one that nobody sees."""
    boxes = np.float32([[100, 100, 200, 150], [0, 0, 10, 10]])
    boxes[0] += np.float32(shift)
    return Candidates(boxes, np.float32([[score, 0.01], [0.01, 0.01]]))


def changed(whole: Candidates, **fields: Any) -> Candidates:
    assert whole.scores is not None
    return Candidates(fields.get("xyxy", whole.xyxy), fields.get("scores", whole.scores))


@given(candidates())
def test_equal_candidates_have_no_error(found: Candidates) -> None:
    assert candidate_error(found, found) == 0.0


@given(candidates(), hnp.arrays(np.float32, CLASSES, elements=st.floats(0, 1, width=32)))
def test_error_is_never_negative_nor_infinite(found: Candidates, scores: np.ndarray) -> None:
    assert found.scores is not None
    other = changed(found, scores=np.tile(scores, (len(found), 1)), xyxy=found.xyxy[::-1].copy())
    error = candidate_error(found, other)
    assert error is not None
    # All classes of all cells wrong, and all boxes nowhere.
    assert 0.0 <= error <= (CLASSES + 1) * len(found)


@given(candidates(), st.floats(0.5, 40), st.floats(1.1, 4))
def test_error_grows_with_the_shift(found: Candidates, shift: float, factor: float) -> None:
    def of(by: float) -> float:
        error = candidate_error(found, changed(found, xyxy=found.xyxy + np.float32(by)))
        assert error is not None
        return error

    assert 0.0 < of(shift) <= of(shift * factor) * (1 + 1e-6)
    assert of(-shift) == pytest.approx(of(shift), rel=1e-3)


@pytest.mark.parametrize(("off", "error"), [(0.1, 0.001), (0.2, 0.004), (-0.3, 0.009)])
def test_error_of_a_score_is_a_tenth_of_its_square(off: float, error: float) -> None:
    assert candidate_error(two(), two(0.8 + off)) == pytest.approx(error, rel=1e-5)


def test_error_of_a_box_is_in_parts_of_its_sides() -> None:
    # 5 px are a twentieth of the width and a tenth of the height.
    wanted = (0.05**2 + 0.1**2) / 2 * 0.8**2
    assert candidate_error(two(), two(shift=5)) == pytest.approx(wanted, rel=1e-5)


def test_box_that_is_nowhere_is_off_by_its_whole_side_and_no_more() -> None:
    for shift in (200.0, 1e6, np.inf, np.nan):
        assert candidate_error(two(), two(shift=shift)) == pytest.approx(0.8**2, rel=0.01)


def test_score_that_is_no_number_is_as_bad_as_a_missed_object() -> None:
    missed = candidate_error(two(1.0), two(0.0))
    assert candidate_error(two(1.0), two(np.nan)) == pytest.approx(missed)


def test_cells_that_neither_sees_do_not_count() -> None:
    found = two()
    found.xyxy[1] += 100
    assert found.scores is not None
    found.scores[1] = 0.04
    assert candidate_error(two(), found) == 0.0


def test_object_that_only_the_file_sees_counts() -> None:
    found = two()
    assert found.scores is not None
    found.scores[1, 0] = 0.61
    assert candidate_error(two(), found) == pytest.approx(0.036, rel=1e-5)


def test_nothing_is_said_where_the_reference_sees_nothing() -> None:
    assert candidate_error(two(0.04), two(0.9)) is None


def test_nothing_is_said_of_cells_that_are_not_the_same() -> None:
    chosen = Candidates(two().xyxy, score=np.float32([0.8, 0.1]), class_id=np.array([0, 1]))
    fewer = Candidates(two().xyxy[:1], np.float32([[0.8, 0.01]]))
    empty = Candidates(np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32))
    assert candidate_error(two(), chosen) is None
    assert candidate_error(chosen, chosen) is None
    assert candidate_error(two(), fewer) is None
    assert candidate_error(empty, empty) is None

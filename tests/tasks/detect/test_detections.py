from __future__ import annotations

import numpy as np
import pytest

from mobileq.tasks.detect.detections import Detections


def three() -> Detections:
    return Detections(
        xyxy=np.arange(12, dtype=np.float64).reshape(3, 4),
        score=np.array([0.2, 0.9, 0.9]),
        class_id=np.array([5, 6, 7], np.int32),
    )


def test_arrays_take_the_stated_types():
    found = three()
    assert (found.xyxy.dtype, found.score.dtype) == (np.float32, np.float32)
    assert found.class_id.dtype == np.int64


def test_empty_has_no_detections():
    assert len(Detections.empty()) == 0
    assert Detections.empty().xyxy.shape == (0, 4)


def test_mask_slice_and_indices_pick_the_same_rows():
    found = three()
    for chosen in (found[[1, 2]], found[1:], found[np.array([False, True, True])]):
        assert chosen.class_id.tolist() == [6, 7]
        assert chosen.xyxy[0, 0] == 4
    assert len(found[[]]) == 0


def test_ordered_keeps_equal_scores_in_place():
    assert three().ordered().class_id.tolist() == [6, 7, 5]


@pytest.mark.parametrize(
    ("xyxy", "score", "class_id"),
    [
        (np.zeros((2, 4)), np.zeros(3), np.zeros(3)),
        (np.zeros((3, 5)), np.zeros(3), np.zeros(3)),
        (np.zeros((3, 4)), np.zeros((3, 1)), np.zeros(3)),
        (np.zeros((3, 4)), np.zeros(3), np.zeros(2)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(xyxy, score, class_id):
    with pytest.raises(ValueError, match="has shape"):
        Detections(xyxy, score, class_id)

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.errors import InputError
from mobileq.tasks.detect.decode.arrays import (
    as_rows,
    exponential,
    grid,
    logit_floor,
    reaches,
    sigmoid,
)
from mobileq.tasks.detect.decode.candidates import Candidates

BOXES = np.zeros((2, 4), np.float32)
SCORE = np.zeros(2, np.float32)
CLASS_ID = np.zeros(2, np.int64)


@given(st.floats(-120, 120, width=32), st.floats(0, 1))
def test_no_logit_below_the_floor_reaches_the_threshold(logit, threshold):
    if logit < logit_floor(threshold):
        assert sigmoid(np.array([logit], np.float32))[0] < np.float32(threshold)


def test_every_logit_passes_a_threshold_of_zero():
    assert logit_floor(0.0) == -math.inf
    assert logit_floor(-1.0) == -math.inf


@pytest.mark.parametrize("threshold", [0.9999999, 1.0, 2.0])
def test_certain_logits_pass_the_floor_of_high_thresholds(threshold):
    assert logit_floor(threshold) < 17


@pytest.mark.parametrize("shape", [(85,), (2, 85, 4, 4)])
def test_other_numbers_of_axes_are_refused(shape):
    with pytest.raises(InputError, match="no axis holds the 85 values"):
        as_rows("out", np.zeros(shape, np.float32), 85)


def test_activations_are_float64_rounded_once():
    values = np.array([-1000, -3.3, 0, 0.7, 1000], np.float32)
    assert sigmoid(values).tolist() == [
        0.0,
        float(np.float32(1 / (1 + math.exp(-float(values[1]))))),
        0.5,
        float(np.float32(1 / (1 + math.exp(-float(values[3]))))),
        1.0,
    ]
    assert exponential(values)[3] == np.float32(math.exp(float(values[3])))
    assert exponential(values)[4] == np.inf


def test_cells_are_counted_row_by_row():
    assert grid(20, 16, 8).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_rows_without_classes_never_pass():
    assert not reaches(np.zeros((3, 0), np.float32), 0.0).any()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score": SCORE},
        {"scores": SCORE},
        {"scores": np.zeros((3, 5))},
        {"scores": np.zeros((2, 5)), "score": SCORE},
        {"score": SCORE, "class_id": np.zeros(3)},
    ],
)
def test_candidates_that_do_not_belong_together_are_refused(fields):
    with pytest.raises(ValueError, match=r"give scores|shape"):
        Candidates(BOXES, **fields)


def test_candidates_need_four_coordinates():
    with pytest.raises(ValueError, match=r"\[N, 4\]"):
        Candidates(np.zeros((2, 5), np.float32), score=SCORE, class_id=CLASS_ID)

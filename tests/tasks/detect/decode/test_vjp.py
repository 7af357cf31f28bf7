"""The chain rule that is written out, against decoding that is a little off."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.tasks.detect.decode import Candidates, decode
from mobileq.tasks.detect.decode.vjp import Cotangents, decode_vjp

from .slope_cases import CASES, HEIGHT, WIDTH, outputs_of

STEP = 1 / 64
"""Larger: the third derivatives show. Smaller: float32 does, in which pixels are counted."""


def decoded(case: str, outputs: dict[str, np.ndarray]) -> Candidates:
    return decode(CASES[case][0], outputs, WIDTH, HEIGHT, -math.inf)


def weights_of(found: Candidates, seed: int = 1) -> Cotangents:
    """Of some cells; pixels weigh so that boxes and scores matter alike."""
    assert found.scores is not None
    random = np.random.default_rng(seed)
    seen = random.random(len(found)) < 0.6
    assert 0 < seen.sum() < len(seen)
    xyxy = random.normal(0, 1 / 32, (len(found), 4))[seen]
    scores = random.normal(0, 1, found.scores.shape)[seen]
    return Cotangents(seen, np.float32(xyxy), np.float32(scores))


def weighted(found: Candidates, weights: Cotangents, about: Candidates) -> float:
    """How much more it is than of `about`, in float64: the sums themselves would lose digits."""
    assert found.scores is not None
    assert about.scores is not None
    boxes = (found.xyxy.astype(np.float64) - about.xyxy)[weights.seen] * weights.xyxy
    scores = (found.scores.astype(np.float64) - about.scores)[weights.seen] * weights.scores
    return float(boxes.sum() + scores.sum())


def central_differences(case: str, name: str, weights: Cotangents) -> np.ndarray:
    outputs = outputs_of(case)
    found = np.zeros(outputs[name].shape)
    for place in np.ndindex(*found.shape):
        both = []
        for step in (STEP, -STEP):
            off = {**outputs, name: outputs[name].copy()}
            off[name][place] += np.float32(step)
            both.append(decoded(case, off))
        found[place] = weighted(both[0], weights, both[1]) / (2 * STEP)
    return found


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_what_decoding_changes_by(case: str) -> None:
    outputs = outputs_of(case)
    weights = weights_of(decoded(case, outputs))
    found = decode_vjp(CASES[case][0], outputs, WIDTH, HEIGHT, weights)
    assert found.keys() == outputs.keys()
    for name, gradient in found.items():
        assert gradient.dtype == np.float32
        wanted = central_differences(case, name, weights)
        highest = np.abs(wanted).max()
        assert highest > 0.05
        np.testing.assert_allclose(gradient, wanted, rtol=2e-3, atol=1e-3 * highest)
        # All that is seen, and nothing else.
        np.testing.assert_array_equal(gradient != 0, np.abs(wanted) > 1e-5 * highest)


def test_box_that_is_nowhere_has_no_gradient() -> None:
    case = "yolox raw"
    outputs = outputs_of(case)
    outputs["box_regression16"][0, 2:, 0, 0] = 1e3
    ones = Cotangents(
        np.ones(10, np.bool_), np.float32([[1, 2, 3, 4]] * 10), np.ones((10, 3), "f4")
    )
    found = decode_vjp(CASES[case][0], outputs, WIDTH, HEIGHT, ones)["box_regression16"]
    assert found[0, :, 0, 0].tolist() == [64, 96, 0, 0]
    assert found[0, :, 0, 1].all()


def test_another_number_of_cells_is_refused() -> None:
    for case in ("yolov5 raw", "yolov8 raw", "yolox raw", "nanodet one output"):
        outputs = outputs_of(case)
        count = len(decoded(case, outputs)) - 1
        few = Cotangents(np.zeros(count, np.bool_), np.zeros((0, 4), "f4"), np.zeros((0, 3), "f4"))
        with pytest.raises(InputError, match=f"gives {count} anchors"):
            decode_vjp(CASES[case][0], outputs, WIDTH, HEIGHT, few)

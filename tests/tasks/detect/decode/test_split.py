from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec import TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput, OutputRole
from mobileq.tasks.detect.decode import decode

from .heads import ANCHOR_COUNT, HEIGHT, WIDTH, assert_threshold_only_sorts_out, sigmoid64

CLASSES = 3
BOXES = np.array([[[1, 2, 3, 4], [10, 20, 60, 50]]], np.float32)
SCORES = np.array([[[0.1, 0.2, 0.9], [0.3, 0.8, 0.0]]], np.float32)


def spec_of(role: OutputRole = "class_scores", **more: Any) -> DecodeSpec:
    outputs = HeadOutput(name="boxes", role="boxes"), HeadOutput(name="classes", role=role)
    return DecodeSpec(
        kind="split", class_count=CLASSES, outputs=outputs, **{"box_format": "xyxy", **more}
    )


def test_boxes_and_scores_are_as_they_are() -> None:
    found = decode(spec_of(), {"boxes": BOXES, "classes": SCORES}, WIDTH, HEIGHT)
    assert found.needs_nms
    np.testing.assert_array_equal(found.xyxy, BOXES[0])
    np.testing.assert_array_equal(found.scores, SCORES[0])
    best = decode(spec_of(), {"boxes": BOXES, "classes": SCORES}, WIDTH, HEIGHT, 0.85)
    np.testing.assert_array_equal(best.xyxy, BOXES[0, :1])


def test_axes_may_be_in_the_other_order_and_of_length_one() -> None:
    """PP-YOLOE's scores [1, C, A]; YOLOv4's boxes [1, A, 1, 4], parts of the picture."""
    parts = (BOXES / np.float32((WIDTH, HEIGHT, WIDTH, HEIGHT)))[:, :, np.newaxis]
    outputs = {"boxes": parts, "classes": SCORES.transpose(0, 2, 1)}
    found = decode(spec_of(box_unit="normalized"), outputs, WIDTH, HEIGHT)
    np.testing.assert_allclose(found.xyxy, BOXES[0], rtol=1e-6)
    np.testing.assert_array_equal(found.scores, SCORES[0])


def test_logits_go_through_the_sigmoid_and_centres_become_corners() -> None:
    logits = np.array([[[-1, 0, 2], [0.5, -3, -9]]], np.float32)
    outputs = {"boxes": BOXES, "classes": logits}
    found = decode(spec_of("class_logits", box_format="cxcywh"), outputs, WIDTH, HEIGHT)
    np.testing.assert_allclose(found.scores, sigmoid64(logits[0]), rtol=1e-6)
    assert found.xyxy.tolist() == [[-0.5, 0, 2.5, 4], [-20, -5, 40, 45]]


@pytest.mark.parametrize("role", ["class_scores", "class_logits"])
def test_threshold_only_sorts_out(role: OutputRole) -> None:
    random = np.random.default_rng(3)
    values = random.random((1, ANCHOR_COUNT, CLASSES)) ** 4
    if role == "class_logits":
        values = random.normal(-2, 2, values.shape)
    outputs = {
        "boxes": random.random((1, ANCHOR_COUNT, 4)).astype(np.float32) * 60,
        "classes": values.astype(np.float32),
    }
    assert_threshold_only_sorts_out(spec_of(role), outputs)


def test_two_counts_are_an_error() -> None:
    with pytest.raises(InputError, match="gives 2 boxes and scores of 1"):
        decode(spec_of(), {"boxes": BOXES, "classes": SCORES[:, :1]}, WIDTH, HEIGHT)
    with pytest.raises(InputError, match="no axis holds the 3 values"):
        decode(spec_of(), {"boxes": BOXES, "classes": SCORES[..., :2]}, WIDTH, HEIGHT)


def test_what_is_missing_is_named() -> None:
    tensors = tuple(
        TensorSpec(name=name, shape=(1, 2, 4), dtype="float32") for name in ("boxes", "classes")
    )
    assert not list(spec_of().contradictions(tensors))
    assert not list(spec_of("class_logits").contradictions(tensors))
    (told,) = spec_of("scores").contradictions(tensors)
    assert told == ("outputs", "decoding split needs one with the role class_scores")
    (told,) = spec_of(head="raw").contradictions(tensors)
    assert told == ("head", "a head of the kind split has no raw outputs; use decoded")
    with pytest.raises(InputError, match="role 'class_scores' or 'class_logits', not 0"):
        decode(spec_of("scores"), {"boxes": BOXES, "classes": SCORES}, WIDTH, HEIGHT)

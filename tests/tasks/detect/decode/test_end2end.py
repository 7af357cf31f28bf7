from __future__ import annotations

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.decode import decode
from mobileq.tasks.detect.decode.end2end import MAX_DETECTIONS
from mobileq.tasks.detect.nms import Thresholds, select

from .heads import (
    HEIGHT,
    STRIDES,
    WIDTH,
    assert_threshold_only_sorts_out,
    logits,
    per_stride,
    predictions,
)

CLASSES = 7
DECODED = DecodeSpec(
    kind="end2end", class_count=CLASSES, outputs=(predictions(),), box_format="xyxy"
)


def raw_spec(kind: str, bins: int) -> DecodeSpec:
    box = "box_distribution" if bins else "box_regression"
    return DecodeSpec(
        kind=kind,
        class_count=CLASSES,
        outputs=per_stride(box, "class_logits"),
        head="raw",
        strides=STRIDES,
        reg_max=bins,
    )


def raw_outputs(bins: int) -> dict[str, np.ndarray]:
    box = "box_distribution" if bins else "box_regression"
    return {f"class_logits{s}": logits(CLASSES, s, seed=1) for s in STRIDES} | {
        f"{box}{s}": logits(4 * max(bins, 1), s, seed=2) for s in STRIDES
    }


def test_rows_are_box_score_and_class():
    output = np.array(
        [[[1, 2, 3, 4, 0.9, 6], [5, 6, 7, 8, 0.1, 0], [1, 1, 2, 2, 0.8, 7], [0, 0, 1, 1, 1, -1]]],
        np.float32,
    )
    found = decode(DECODED, {"out": output}, WIDTH, HEIGHT, 0.5)
    assert not found.needs_nms
    assert found.xyxy.tolist() == [[1, 2, 3, 4]]  # the last two have classes that do not exist
    assert found.score is not None
    assert found.class_id is not None
    assert found.score.tolist() == pytest.approx([0.9])
    assert found.class_id.tolist() == [6]


def test_normalized_boxes_are_scaled():
    spec = DecodeSpec(
        kind="end2end",
        class_count=1,
        outputs=(predictions(),),
        box_format="xyxy",
        box_unit="normalized",
    )
    output = np.array([[[0.25, 0.5, 0.75, 1, 0.9, 0]]], np.float32)
    assert decode(spec, {"out": output}, 80, 40).xyxy.tolist() == [[20, 20, 60, 40]]


@pytest.mark.parametrize("bins", [0, 16])
def test_raw_keeps_the_best_pairs_of_anchor_and_class(bins):
    raw = raw_outputs(bins)
    found = decode(raw_spec("end2end", bins), raw, WIDTH, HEIGHT)
    everything = decode(raw_spec("yolov8", bins), raw, WIDTH, HEIGHT)
    assert everything.scores is not None
    pairs = sorted(
        ((-score, anchor, label) for (anchor, label), score in np.ndenumerate(everything.scores))
    )[:MAX_DETECTIONS]
    assert len(found) == MAX_DETECTIONS < everything.scores.size
    assert found.score is not None
    assert found.class_id is not None
    assert found.score.tolist() == [-score for score, _, _ in pairs]
    assert found.class_id.tolist() == [label for _, _, label in pairs]
    np.testing.assert_array_equal(found.xyxy, everything.xyxy[[anchor for _, anchor, _ in pairs]])


def test_raw_gives_what_the_two_steps_of_the_graph_give():
    raw = raw_outputs(0)
    everything = decode(raw_spec("yolov8", 0), raw, WIDTH, HEIGHT)
    assert everything.scores is not None
    limit = 20
    anchors = np.argsort(-everything.scores.max(axis=1), kind="stable")[:limit]
    best = np.sort(everything.scores[anchors].ravel())[::-1][:limit]
    found = select(
        decode(raw_spec("end2end", 0), raw, WIDTH, HEIGHT),
        Thresholds(score=0, iou=1, max_detections=limit),
    )
    np.testing.assert_array_equal(found.score, best)


def test_threshold_only_sorts_out():
    assert_threshold_only_sorts_out(raw_spec("end2end", 16), raw_outputs(16), 0.95)


def test_overlapping_boxes_are_all_kept():
    output = np.array([[[1, 2, 30, 40, 0.9, 6], [1, 2, 30, 40, 0.8, 6]]], np.float32)
    found = decode(DECODED, {"out": output}, WIDTH, HEIGHT)
    assert len(select(found, Thresholds.evaluation())) == 2


QUERIES = DecodeSpec(
    kind="end2end",
    class_count=CLASSES,
    outputs=(
        HeadOutput(name="boxes", role="boxes"), HeadOutput(name="logits", role="class_logits"),
    ),
    head="raw",
    box_unit="normalized",
)  # fmt: skip


def test_queries_are_boxes_and_logits():
    boxes = np.array([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.1, 0.2]]], np.float32)
    scores = np.full((1, 2, CLASSES), -9, np.float32)
    scores[0, 1, 3], scores[0, 0, 2], scores[0, 1, 5] = 2, 1, 0
    found = decode(QUERIES, {"boxes": boxes, "logits": scores}, 100, 200, 0.3)
    assert not found.needs_nms
    assert found.class_id.tolist() == [3, 2, 5]
    assert found.score.tolist() == pytest.approx([0.880797, 0.731059, 0.5])
    assert found.xyxy.tolist() == pytest.approx(
        np.array([[20, 80, 30, 120], [25, 50, 75, 150], [20, 80, 30, 120]])
    )


def test_queries_of_two_counts_are_an_error():
    outputs = {
        "boxes": np.zeros((1, 3, 4), np.float32),
        "logits": np.zeros((1, 2, CLASSES), np.float32),
    }
    with pytest.raises(InputError, match="gives 3 boxes and scores of 2"):
        decode(QUERIES, outputs, 100, 200, 0.3)

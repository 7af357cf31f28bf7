from __future__ import annotations

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import decode

from .heads import (
    HEIGHT,
    STRIDES,
    WIDTH,
    assert_close,
    assert_threshold_only_sorts_out,
    cell_list,
    flat,
    logits,
    per_stride,
    predictions,
    sigmoid64,
)

CLASSES = 4
GRID = DecodeSpec(kind="yolox", class_count=CLASSES, outputs=(predictions(),), strides=STRIDES)
PIXEL = DecodeSpec(kind="yolox", class_count=CLASSES, outputs=(predictions(),))
RAW = DecodeSpec(
    kind="yolox",
    class_count=CLASSES,
    outputs=per_stride("box_regression", "objectness_logits", "class_logits"),
    head="raw",
    strides=STRIDES,
)


def raw_outputs() -> dict[str, np.ndarray]:
    outputs = {}
    for stride in STRIDES:
        outputs[f"box_regression{stride}"] = logits(4, stride, seed=1)
        outputs[f"objectness_logits{stride}"] = logits(1, stride, seed=2)
        outputs[f"class_logits{stride}"] = logits(CLASSES, stride, seed=3)
    return outputs


def by_hand(raw: dict[str, np.ndarray], decode_boxes: bool) -> dict[str, np.ndarray]:
    rows = []
    for stride in STRIDES:
        box = flat(raw[f"box_regression{stride}"]).astype(np.float64)
        if decode_boxes:
            box[:, :2] = (box[:, :2] + cell_list(stride)) * stride
            box[:, 2:] = np.exp(box[:, 2:]) * stride
        objectness = sigmoid64(flat(raw[f"objectness_logits{stride}"]))
        scores = sigmoid64(flat(raw[f"class_logits{stride}"]))
        rows.append(np.concatenate([box, objectness, scores], axis=1))
    return {"out": np.concatenate(rows).astype(np.float32)[np.newaxis]}


def test_one_cell_by_hand():
    output = np.zeros((1, 3, 6), np.float32)
    output[0, 1] = (0.5, 0.25, np.log(2), 0, 0.5, 0.8)  # second cell of stride 8
    spec = DecodeSpec(kind="yolox", class_count=1, outputs=(predictions(),), strides=(8, 16))
    found = decode(spec, {"out": output}, 16, 8, 0.1)
    np.testing.assert_allclose(found.xyxy, [[12 - 8, 2 - 4, 12 + 8, 2 + 4]], atol=1e-5)
    assert found.scores is not None
    assert found.scores.tolist() == [[pytest.approx(0.4)]]


def test_raw_grid_and_pixel_outputs_agree():
    raw = raw_outputs()
    found = decode(RAW, raw, WIDTH, HEIGHT)
    assert_close(found, decode(GRID, by_hand(raw, False), WIDTH, HEIGHT))
    assert_close(found, decode(PIXEL, by_hand(raw, True), WIDTH, HEIGHT))


def test_threshold_only_sorts_out():
    raw = raw_outputs()
    assert_threshold_only_sorts_out(RAW, raw)
    assert_threshold_only_sorts_out(GRID, by_hand(raw, False))
    assert_threshold_only_sorts_out(PIXEL, by_hand(raw, True))


def test_wrong_number_of_anchors_is_noticed():
    output = by_hand(raw_outputs(), False)["out"][:, :-1]
    with pytest.raises(InputError, match="gives 125 anchors where its strides make 126"):
        decode(GRID, {"out": output}, WIDTH, HEIGHT)


def test_exploding_sides_do_not_warn():
    output = np.zeros((1, 126, 9), np.float32)
    output[0, :, 2] = 1000
    assert np.isinf(decode(GRID, {"out": output}, WIDTH, HEIGHT).xyxy).any()

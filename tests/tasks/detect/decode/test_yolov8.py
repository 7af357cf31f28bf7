from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import decode

from .heads import (
    ANCHOR_COUNT,
    CELLS,
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

CLASSES = 5
DECODED = DecodeSpec(kind="yolov8", class_count=CLASSES, outputs=(predictions(),))


def raw_spec(bins: int) -> DecodeSpec:
    box = "box_distribution" if bins else "box_regression"
    return DecodeSpec(
        kind="yolov8",
        class_count=CLASSES,
        outputs=per_stride(box, "class_logits"),
        head="raw",
        strides=STRIDES,
        reg_max=bins,
    )


def raw_outputs(bins: int) -> dict[str, np.ndarray]:
    outputs = {f"class_logits{s}": logits(CLASSES, s, seed=8) for s in STRIDES}
    if bins:
        outputs |= {f"box_distribution{s}": logits(4 * bins, s, seed=9) for s in STRIDES}
    else:
        outputs |= {f"box_regression{s}": logits(4, s, seed=9) for s in STRIDES}
    return outputs


def decoded_by_hand(raw: dict[str, np.ndarray], bins: int) -> np.ndarray:
    """[1, 4 + C, A], boxes as centre and sides."""
    columns = []
    for stride in STRIDES:
        if bins:
            sides = flat(raw[f"box_distribution{stride}"]).reshape(-1, 4, bins).astype(np.float64)
            weight = np.exp(sides) / np.exp(sides).sum(axis=2, keepdims=True)
            distance = weight @ np.arange(bins)
        else:
            distance = flat(raw[f"box_regression{stride}"]).astype(np.float64)
        centre = cell_list(stride) + 0.5
        first, second = centre - distance[:, :2], centre + distance[:, 2:]
        box = np.concatenate([(first + second) / 2, second - first], axis=1) * stride
        scores = sigmoid64(flat(raw[f"class_logits{stride}"]))
        columns.append(np.concatenate([box, scores], axis=1))
    return np.concatenate(columns).T.astype(np.float32)[np.newaxis]


@pytest.mark.parametrize("bins", [0, 8, 16])
def test_raw_and_decoded_agree(bins):
    raw = raw_outputs(bins)
    decoded = {"out": decoded_by_hand(raw, bins)}
    first = decode(raw_spec(bins), raw, WIDTH, HEIGHT)
    assert len(first) == ANCHOR_COUNT
    assert_close(first, decode(DECODED, decoded, WIDTH, HEIGHT))


def test_distances_begin_where_the_spec_says():
    raw, spec = raw_outputs(8), raw_spec(8)
    middle = decode(spec, raw, WIDTH, HEIGHT)
    corner = decode(msgspec.structs.replace(spec, centre_offset=0.0), raw, WIDTH, HEIGHT)
    strides = np.repeat(STRIDES, [rows * columns for rows, columns in CELLS.values()])
    apart = middle.xyxy - corner.xyxy
    np.testing.assert_allclose(apart, np.tile(strides[:, np.newaxis] / 2, 4), atol=1e-4)
    np.testing.assert_array_equal(middle.scores, corner.scores)


def test_anchors_may_be_first_or_last():
    output = decoded_by_hand(raw_outputs(16), 16)
    first = decode(DECODED, {"out": output}, WIDTH, HEIGHT)
    assert_close(first, decode(DECODED, {"out": output.transpose(0, 2, 1)}, WIDTH, HEIGHT))


def test_as_many_anchors_as_values_are_read_as_exported():
    spec = DecodeSpec(kind="yolov8", class_count=1, outputs=(predictions(),))
    output = np.zeros((1, 5, 5), np.float32)
    output[0, :, 3] = (10, 20, 4, 6, 0.75)
    found = decode(spec, {"out": output}, WIDTH, HEIGHT, 0.5)
    assert found.xyxy.tolist() == [[8, 17, 12, 23]]


def test_distribution_gives_the_expected_distance():
    spec = DecodeSpec(
        kind="yolov8",
        class_count=1,
        outputs=per_stride("box_distribution", "class_logits")[:2],
        head="raw",
        strides=(8,),
        reg_max=4,
    )
    box = np.full((1, 16, 1, 1), -100, np.float32)
    box[0, [0, 4 + 1, 8 + 2, 12 + 3]] = 100  # left 0, top 1, right 2, bottom 3
    box[0, 12 + 2] = 100  # bottom: 2 and 3 equally likely
    found = decode(
        spec,
        {"box_distribution8": box, "class_logits8": np.zeros((1, 1, 1, 1), np.float32)},
        8,
        8,
    )
    assert found.xyxy.tolist() == [[4, -4, 20, 24]]
    assert found.scores is not None
    assert found.scores.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("box_format", "box"),
    [("cxcywh", (30, 20, 20, 10)), ("xyxy", (20, 15, 40, 25)), ("yxyx", (15, 20, 25, 40))],
)
def test_box_formats_and_units(box_format, box):
    for unit, divisor in (("pixel", (1, 1)), ("normalized", (80, 40))):
        spec = DecodeSpec(
            kind="yolov8",
            class_count=1,
            outputs=(predictions(),),
            box_format=box_format,
            box_unit=unit,
        )
        x, y = divisor
        order = (y, x, y, x) if box_format == "yxyx" else (x, y, x, y)
        row = [*(value / part for value, part in zip(box, order, strict=True)), 0.5]
        found = decode(spec, {"out": np.array([row], np.float32).T[np.newaxis]}, 80, 40)
        assert found.xyxy[0].tolist() == pytest.approx([20, 15, 40, 25])


@pytest.mark.parametrize("threshold", [0.001, 0.3, 0.999])
def test_threshold_only_sorts_out(threshold):
    raw = raw_outputs(16)
    raw["class_logits8"][0, 0, 0, 0] = 20  # one is certain
    raw["class_logits16"][0, :, 0, 0] = -20  # one is certainly nothing
    assert_threshold_only_sorts_out(raw_spec(16), raw, threshold)
    assert_threshold_only_sorts_out(DECODED, {"out": decoded_by_hand(raw, 16)}, threshold)


def test_sides_that_strides_do_not_divide_have_partial_cells():
    spec = raw_spec(0)
    shapes = {8: (3, 2), 16: (2, 1), 32: (1, 1)}
    raw = {f"box_regression{s}": np.zeros((1, 4, *shapes[s]), np.float32) for s in STRIDES}
    raw |= {f"class_logits{s}": np.zeros((1, CLASSES, *shapes[s]), np.float32) for s in STRIDES}
    assert len(decode(spec, raw, 16, 20)) == 6 + 2 + 1

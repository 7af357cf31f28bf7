from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import decode

from .heads import (
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

ANCHORS = (
    ((10.0, 13.0), (16.0, 30.0)),
    ((30.0, 61.0), (62.0, 45.0)),
    ((116.0, 90.0), (156.0, 198.0)),
)
CLASSES = 3
DECODED = DecodeSpec(kind="yolov5", class_count=CLASSES, outputs=(predictions(),))
RAW = DecodeSpec(
    kind="yolov5",
    class_count=CLASSES,
    outputs=per_stride("predictions"),
    head="raw",
    strides=STRIDES,
    anchors=ANCHORS,
)

APART = msgspec.structs.replace(
    RAW, outputs=per_stride("box_regression", "objectness_logits", "class_logits")
)


def raw_outputs() -> dict[str, np.ndarray]:
    return {f"predictions{s}": logits(2 * (5 + CLASSES), s, seed=5) for s in STRIDES}


def decoded_by_hand(raw: dict[str, np.ndarray]) -> np.ndarray:
    """The export's order: stride, anchor, row, column."""
    rows = []
    for stride, anchors in zip(STRIDES, ANCHORS, strict=True):
        for number, anchor in enumerate(anchors):
            part = raw[f"predictions{stride}"][:, number * 8 : (number + 1) * 8]
            values = sigmoid64(flat(part))
            values[:, :2] = (values[:, :2] * 2 - 0.5 + cell_list(stride)) * stride
            values[:, 2:4] = (values[:, 2:4] * 2) ** 2 * anchor
            rows.append(values)
    return np.concatenate(rows).astype(np.float32)[np.newaxis]


def test_score_is_objectness_times_class():
    output = np.array([[[50, 40, 20, 10, 0.5, 0.2, 0.8, 0.4]]], np.float32)
    found = decode(DECODED, {"out": output}, WIDTH, HEIGHT)
    assert found.xyxy.tolist() == [[40, 35, 60, 45]]
    assert found.scores is not None
    assert found.scores[0].tolist() == pytest.approx([0.1, 0.4, 0.2])
    assert found.needs_nms


def test_normalized_boxes_are_scaled_by_the_input():
    spec = DecodeSpec(kind="yolov5", class_count=1, outputs=(predictions(),), box_unit="normalized")
    output = np.array([[[0.5, 0.5, 0.5, 0.25, 1, 1]]], np.float32)
    assert decode(spec, {"out": output}, 80, 40).xyxy.tolist() == [[20, 15, 60, 25]]


def test_raw_and_decoded_agree():
    raw = raw_outputs()
    decoded = {"out": decoded_by_hand(raw)}
    assert_close(decode(RAW, raw, WIDTH, HEIGHT), decode(DECODED, decoded, WIDTH, HEIGHT))


def apart(raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with a tensor for each role."""
    found = {}
    for stride in STRIDES:
        anchors = raw[f"predictions{stride}"].reshape(2, 5 + CLASSES, *CELLS[stride])
        for role, chosen in (
            ("box_regression", slice(4)),
            ("objectness_logits", slice(4, 5)),
            ("class_logits", slice(5, None)),
        ):
            found[f"{role}{stride}"] = anchors[:, chosen].reshape(1, -1, *CELLS[stride])
    return found


def test_channels_last_convolutions_are_understood():
    raw = raw_outputs()
    last = {name: array.transpose(0, 2, 3, 1) for name, array in raw.items()}
    assert_close(decode(RAW, raw, WIDTH, HEIGHT), decode(RAW, last, WIDTH, HEIGHT))


def test_three_tensors_are_read_as_the_one_is():
    whole = decode(RAW, raw_outputs(), WIDTH, HEIGHT)
    parts = decode(APART, apart(raw_outputs()), WIDTH, HEIGHT)
    np.testing.assert_array_equal(parts.xyxy, whole.xyxy)
    np.testing.assert_array_equal(parts.scores, whole.scores)


def test_a_part_must_be_there():
    outputs = tuple(o for o in APART.outputs if (o.role, o.stride) != ("class_logits", 16))
    with pytest.raises(InputError, match="class_logits for stride 16, not 0"):
        decode(msgspec.structs.replace(APART, outputs=outputs), apart(raw_outputs()), WIDTH, HEIGHT)


def test_threshold_only_sorts_out():
    raw = raw_outputs()
    assert_threshold_only_sorts_out(RAW, raw)
    assert_threshold_only_sorts_out(APART, apart(raw))
    assert_threshold_only_sorts_out(DECODED, {"out": decoded_by_hand(raw)})


def test_anchors_and_strides_must_pair():
    spec = DecodeSpec(
        kind="yolov5", class_count=3, outputs=RAW.outputs, head="raw", strides=STRIDES
    )
    with pytest.raises(InputError, match="3 strides but anchors for 0"):
        decode(spec, raw_outputs(), WIDTH, HEIGHT)


def test_wrong_class_counts_are_named():
    with pytest.raises(InputError, match=r"'out' has shape \(1, 9\).*8 values"):
        decode(DECODED, {"out": np.zeros((1, 1, 9), np.float32)}, WIDTH, HEIGHT)


def test_another_input_shape_is_noticed():
    with pytest.raises(InputError, match="gives 96 anchors where its strides make 100"):
        decode(RAW, raw_outputs(), 80, 80)


def test_batches_are_refused():
    with pytest.raises(InputError, match="batch of 2"):
        decode(DECODED, {"out": np.zeros((2, 7, 8), np.float32)}, WIDTH, HEIGHT)


def test_roles_must_be_there_once():
    nothing = DecodeSpec(kind="yolov5", class_count=3, outputs=())
    with pytest.raises(InputError, match="role 'predictions', not 0"):
        decode(nothing, {}, WIDTH, HEIGHT)
    half = DecodeSpec(
        kind="yolov5", class_count=3, outputs=RAW.outputs[:2], head="raw", strides=STRIDES,
        anchors=ANCHORS,
    )  # fmt: skip
    with pytest.raises(InputError, match="predictions for stride 32, not 0"):
        decode(half, raw_outputs(), WIDTH, HEIGHT)

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import decode

from .heads import (
    HEIGHT,
    STRIDES,
    WIDTH,
    assert_close,
    assert_threshold_only_sorts_out,
    flat,
    logits,
    per_stride,
    predictions,
    sigmoid64,
)

CLASSES, BINS = 6, 8


def spec(head: str, outputs, strides=STRIDES) -> DecodeSpec:
    return DecodeSpec(
        kind="nanodet",
        class_count=CLASSES,
        outputs=outputs,
        head=head,
        strides=strides,
        reg_max=BINS,
    )


JOINT = spec("raw", per_stride("predictions"))
SPLIT = spec("raw", per_stride("class_logits", "box_distribution"))
SIX = spec("decoded", per_stride("class_scores", "box_distribution"))
ONE = spec("decoded", (predictions(),))


def joint_outputs() -> dict[str, np.ndarray]:
    return {f"predictions{s}": logits(CLASSES + 4 * BINS, s, seed=7) for s in STRIDES}


def split_outputs() -> dict[str, np.ndarray]:
    outputs = {}
    for stride in STRIDES:
        joint = joint_outputs()[f"predictions{stride}"]
        outputs[f"class_logits{stride}"] = joint[:, :CLASSES]
        outputs[f"box_distribution{stride}"] = joint[:, CLASSES:]
    return outputs


def six_outputs() -> dict[str, np.ndarray]:
    """[cells, values] without a batch axis, as the published file has them."""
    outputs = {}
    for stride in STRIDES:
        rows = flat(joint_outputs()[f"predictions{stride}"])
        outputs[f"class_scores{stride}"] = sigmoid64(rows[:, :CLASSES]).astype(np.float32)
        outputs[f"box_distribution{stride}"] = rows[:, CLASSES:]
    return outputs


def one_output() -> dict[str, np.ndarray]:
    parts = six_outputs()
    rows = [
        np.concatenate([parts[f"class_scores{s}"], parts[f"box_distribution{s}"]], axis=1)
        for s in STRIDES
    ]
    return {"out": np.concatenate(rows)[np.newaxis]}


def test_all_ways_to_export_the_head_agree():
    reference = decode(SIX, six_outputs(), WIDTH, HEIGHT)
    assert_close(reference, decode(ONE, one_output(), WIDTH, HEIGHT))
    assert_close(reference, decode(JOINT, joint_outputs(), WIDTH, HEIGHT))
    assert_close(reference, decode(SPLIT, split_outputs(), WIDTH, HEIGHT))


@pytest.mark.parametrize(
    ("kind", "strides", "expected"),
    [
        ("nanodet", (8,), [4, 4, 4, 4]),
        ("nanodet", (8, 16, 32, 64), [0, 0, 0, 0]),
        ("picodet", (8, 16, 32, 64), [4, 4, 4, 4]),
    ],
)
def test_distances_start_in_the_middle_or_for_plus_in_the_corner(kind, strides, expected):
    cells = len(strides)
    output = np.zeros((1, cells, CLASSES + 4 * BINS), np.float32)
    output[0, 0, 0] = 0.9
    output[0, :, CLASSES::BINS] = 1000  # all distances 0
    head = msgspec.structs.replace(spec("decoded", (predictions(),), strides), kind=kind)
    found = decode(head, {"out": output}, 8, 8, 0.5)
    assert found.xyxy.tolist() == [expected]


def test_threshold_only_sorts_out():
    assert_threshold_only_sorts_out(SIX, six_outputs(), 0.9)
    assert_threshold_only_sorts_out(ONE, one_output(), 0.9)
    assert_threshold_only_sorts_out(JOINT, joint_outputs(), 0.9)

"""What the tests of the head families share: small heads with random values."""

from __future__ import annotations

import math

import numpy as np

from mobileq.spec.decode import HeadOutput, OutputRole
from mobileq.tasks.detect.decode import anchor_count, decode, decode_some
from mobileq.tasks.detect.decode.candidates import Candidates

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 96, 64
CELLS = {stride: (HEIGHT // stride, WIDTH // stride) for stride in STRIDES}
ANCHOR_COUNT = sum(rows * columns for rows, columns in CELLS.values())


def logits(channels: int, stride: int, seed: int) -> np.ndarray:
    """[1, channels, h, w] as a convolution gives it."""
    random = np.random.default_rng(1000 * seed + stride)
    return random.normal(0, 2, (1, channels, *CELLS[stride])).astype(np.float32)


def predictions(name: str = "out", stride: int | None = None) -> HeadOutput:
    return HeadOutput(name=name, role="predictions", stride=stride)


def per_stride(*roles: OutputRole) -> tuple[HeadOutput, ...]:
    """One output per stride and role, named `role8` and so on."""
    return tuple(
        HeadOutput(name=f"{role}{stride}", role=role, stride=stride)
        for stride in STRIDES
        for role in roles
    )


def sigmoid64(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def flat(tensor: np.ndarray) -> np.ndarray:
    """[1, C, h, w] to [h * w, C], cell by cell, row by row."""
    return np.array(
        [tensor[0, :, y, x] for y in range(tensor.shape[2]) for x in range(tensor.shape[3])]
    )


def cell_list(stride: int) -> np.ndarray:
    rows, columns = CELLS[stride]
    return np.array([(x, y) for y in range(rows) for x in range(columns)], np.float64)


def assert_close(first: Candidates, second: Candidates) -> None:
    """Same anchors in the same order, up to float32 rounding."""
    np.testing.assert_allclose(first.xyxy, second.xyxy, rtol=1e-5, atol=1e-4)
    assert first.scores is not None
    assert second.scores is not None
    np.testing.assert_allclose(first.scores, second.scores, rtol=1e-5, atol=1e-7)


def assert_threshold_only_sorts_out(spec, outputs, threshold: float = 0.3) -> None:
    """With a threshold, the same boxes come, to the bit, but for those that do not reach it."""
    everything = decode(spec, outputs, WIDTH, HEIGHT)
    passing = decode(spec, outputs, WIDTH, HEIGHT, threshold)
    if everything.scores is not None:
        assert passing.scores is not None
        expected = everything.scores.max(axis=1) >= np.float32(threshold)
        np.testing.assert_array_equal(passing.scores, everything.scores[expected])
    else:
        assert everything.score is not None
        expected = everything.score >= np.float32(threshold)
        np.testing.assert_array_equal(passing.score, everything.score[expected])
        np.testing.assert_array_equal(passing.class_id, everything.class_id[expected])
    assert 0 < expected.sum() < len(everything)
    np.testing.assert_array_equal(passing.xyxy, everything.xyxy[expected])
    if everything.needs_nms:
        assert_some_are_those_of_all(spec, outputs, threshold)


def assert_some_are_those_of_all(spec, outputs, threshold: float) -> None:
    """To the last bit, whichever cells are wanted beside those that reach the threshold."""
    whole = decode(spec, outputs, WIDTH, HEIGHT, -math.inf)
    assert whole.scores is not None
    always = np.random.default_rng(0).random(len(whole)) < 0.2
    some = decode_some(spec, outputs, WIDTH, HEIGHT, threshold, always)
    wanted = np.flatnonzero((whole.scores.max(axis=1) >= np.float32(threshold)) | always)
    assert always.sum() <= len(wanted)
    count = anchor_count(spec, WIDTH, HEIGHT)
    if spec.head != "raw":
        assert count is None
        wanted = np.arange(len(whole))
    else:
        assert count == len(whole)
    if some.cells is not None:
        np.testing.assert_array_equal(some.cells, wanted)
    np.testing.assert_array_equal(some.xyxy, whole.xyxy[wanted])
    np.testing.assert_array_equal(some.scores, whole.scores[wanted])

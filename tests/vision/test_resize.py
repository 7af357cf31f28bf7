from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.vision.resize import resize

WAYS = [(name, antialias) for name in ("bilinear", "bicubic") for antialias in (False, True)]
side = st.integers(1, 40)


def picture(width: int, height: int, channels: int = 3) -> np.ndarray:
    """With edges from black to white, where cubic weights overshoot."""
    levels = np.array([0, 30, 128, 200, 255], np.uint8)
    return np.random.default_rng(width * height).choice(levels, (height, width, channels))


# SHA-256 of what Pillow 12.1 and 13.0 make of `picture`: (width, height, to width, to height, how).
PILLOW = {
    (640, 480, 341, 256, "bilinear"): "f3de5ccd1c2caec6",
    (640, 480, 341, 256, "bicubic"): "98686dcac22c9ac2",
    (375, 500, 224, 298, "bilinear"): "d13fd518885b630e",
    (375, 500, 224, 298, "bicubic"): "f1620d5cce6e4b4f",
    (500, 333, 352, 235, "bilinear"): "e2f883b47bc29254",
    (500, 333, 352, 235, "bicubic"): "c8c1415178920a52",
    (33, 21, 97, 64, "bilinear"): "95cc8e5f6bfef3b7",
    (33, 21, 97, 64, "bicubic"): "1de062dced2ceae3",
    (5, 3, 2, 1, "bilinear"): "07d9ceeccd87b290",
    (5, 3, 2, 1, "bicubic"): "46f91c5514b1a2fe",
    (1, 1, 7, 5, "bilinear"): "aa88441ab98b4ce8",
    (1, 1, 7, 5, "bicubic"): "aa88441ab98b4ce8",
    (200, 200, 200, 150, "bilinear"): "6effd71fcfba70bc",
    (200, 200, 200, 150, "bicubic"): "3cd9a003a22bca65",
    (1920, 1080, 398, 224, "bilinear"): "a6cac957d39fa7d5",
    (1920, 1080, 398, 224, "bicubic"): "4fa478b23844aad0",
    (64, 64, 1, 1, "bilinear"): "cb825c9cb169ca78",
    (64, 64, 1, 1, "bicubic"): "cb825c9cb169ca78",
}


@pytest.mark.parametrize("case", PILLOW)
def test_antialiased_pictures_are_pillows_to_the_last_bit(case):
    width, height, to_width, to_height, interpolation = case
    made = resize(picture(width, height), to_width, to_height, interpolation, True)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == PILLOW[case]


@given(side, side, side, side)
@settings(max_examples=60, deadline=None)
def test_bicubic_is_within_one_of_opencvs(width, height, to_width, to_height):
    image = picture(width, height)
    made = resize(image, to_width, to_height, "bicubic")
    theirs = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_CUBIC)
    assert np.abs(made.astype(int) - theirs.reshape(made.shape)).max() <= 1


def cubic(distance: float, a: float) -> float:
    """As textbooks have it."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def axis_matrix(source: int, target: int, interpolation: str, antialias: bool) -> np.ndarray:
    """[target, source]: how much each pixel counts, in real numbers."""
    wider = max(source / target, 1) if antialias else 1
    matrix = np.zeros((target, source))
    for i in range(target):
        centre = (i + 0.5) * source / target - 0.5
        reach = 2 * wider + 1
        for j in range(int(np.floor(centre - reach)), int(np.ceil(centre + reach)) + 1):
            distance = (j - centre) / wider
            weight = max(1 - abs(distance), 0.0)
            if interpolation == "bicubic":
                weight = cubic(distance, -0.5 if antialias else -0.75)
            if 0 <= j < source:
                matrix[i, j] += weight
            elif not antialias:
                matrix[i, min(max(j, 0), source - 1)] += weight
    return matrix / matrix.sum(axis=1, keepdims=True)


@given(side, side, side, side, st.sampled_from(WAYS))
@settings(max_examples=150, deadline=None)
def test_pixels_are_those_of_the_formula_rounded(width, height, to_width, to_height, way):
    image = picture(width, height)
    across, down = axis_matrix(width, to_width, *way), axis_matrix(height, to_height, *way)
    rows = np.einsum("hwc,xw->hxc", image.astype(np.float64), across)
    # Half a step, and what 255 loses by weights of 8 and 11 bits in either direction.
    bound = 1.52 if way[0] == "bilinear" else 1.2
    if way[1]:
        has_half = np.abs(rows - np.floor(rows) - 0.5).min() < 0.01  # may be rounded otherwise
        bound = 1.8 if has_half else 0.51
        rows = np.clip(np.floor(rows + 0.5), 0, 255)
    expected = np.clip(np.einsum("hxc,yh->yxc", rows, down), 0, 255)
    assert np.abs(resize(image, to_width, to_height, *way) - expected).max() < bound


@given(side, side, side, side, st.sampled_from(WAYS), st.data())
@settings(max_examples=100, deadline=None)
def test_part_is_the_same_part_of_the_whole(width, height, to_width, to_height, way, data):
    spans = []
    for length in (to_width, to_height):
        ends = sorted(data.draw(st.tuples(st.integers(0, length - 1), st.integers(1, length))))
        spans.append(slice(ends[0], max(ends[1], ends[0] + 1)))
    columns, rows = spans
    image = picture(width, height)
    part = resize(image, to_width, to_height, *way, columns=columns, rows=rows)
    np.testing.assert_array_equal(part, resize(image, to_width, to_height, *way)[rows, columns])


@given(side, side, side, side, st.sampled_from(WAYS), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_pictures_of_one_colour_keep_it(width, height, to_width, to_height, way, value):
    made = resize(np.full((height, width, 3), value, np.uint8), to_width, to_height, *way)
    assert made.shape == (to_height, to_width, 3)
    assert np.all(made == value)


@given(side, side, side, side, st.sampled_from(WAYS))
@settings(max_examples=60, deadline=None)
def test_channels_do_not_touch_each_other(width, height, to_width, to_height, way):
    image = picture(width, height)
    whole = resize(image, to_width, to_height, *way)
    for channel in range(3):
        alone = resize(image[..., channel : channel + 1], to_width, to_height, *way)
        np.testing.assert_array_equal(alone[..., 0], whole[..., channel])


@pytest.mark.parametrize("way", WAYS)
def test_pictures_of_the_right_size_stay_as_they_are(way):
    image = picture(31, 17)
    np.testing.assert_array_equal(resize(image, 31, 17, *way), image)

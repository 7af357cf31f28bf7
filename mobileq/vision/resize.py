"""Resizing in 8 bits by whole numbers alone: the same bytes on every machine, and in Java.

Each target pixel is a weighted sum of source pixels, along the rows first, then along the columns.

- bilinear: OpenCV's INTER_LINEAR_EXACT. Along each axis, target index i lies at
  `(i + 0.5) * source / target - 0.5`; the weight of the right (lower) neighbour is the fraction of
  that, rounded half to even to a multiple of 1/256, and outside the outermost pixel centres that
  pixel alone counts. Rows first, exact in 8 + 8 bits; then columns, exact in 8 + 16 bits; then
  `(sum + 0x8000) >> 16`. TensorFlow and Keras resize so, in floats.
- bicubic: Keys' cubic convolution with a = -0.75, as OpenCV's INTER_CUBIC and PyTorch without
  antialias. Weights are multiples of 1/2048, and only the end is rounded. OpenCV (4.13) computes
  weights and sums in single precision: one of 25 values is another by 1.
- antialiased bilinear and bicubic (a = -0.5): Pillow's, so torchvision's and timm's, to the last
  bit. Where a picture shrinks, the filter is as much wider, and all pixels count. Weights are
  multiples of 2**-22, and what the rows come to is rounded to 8 bits as well. (Pillow 13 sums
  along the columns first where the height shrinks more than the width, as in some stretched
  pictures; up to 12 it does not.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from mobileq.spec import Interpolation
from mobileq.vision.arrays import ByteArray

_OPENCV_BITS = 11
_PILLOW_BITS = 22
_RADIUS: dict[Interpolation, int] = {"bilinear": 1, "bicubic": 2}


@dataclass(frozen=True)
class AxisTaps:
    """Which source pixels make each target pixel along one axis, and how much each counts.

    `first` [N] is the index of the first of them, `weights` [N, K] are those of K neighbours from
    there on; all lie within the source.
    """

    first: npt.NDArray[np.int64]
    weights: npt.NDArray[np.int32]


def resize(
    image: ByteArray,
    width: int,
    height: int,
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
    *,
    columns: slice = slice(None),
    rows: slice = slice(None),
) -> ByteArray:
    """A picture of another size, or a part of it: uint8 [rows, columns, C].

    Args:
        image: uint8 [H, W, C].
        width: Of the whole resized picture.
        height: Of the whole resized picture.
        interpolation: See above.
        antialias: See above.
        columns: Which of the resized picture are wanted.
        rows: Which of the resized picture are wanted.
    """
    if image.shape[:2] == (height, width):
        return image[rows, columns]
    if interpolation == "bilinear" and not antialias:
        whole: ByteArray = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
        return whole.reshape(height, width, image.shape[2])[rows, columns]
    taps = _antialiased if antialias else _bicubic
    image, across = _needed(image, taps(image.shape[1], width, interpolation), columns, axis=1)
    image, down = _needed(image, taps(image.shape[0], height, interpolation), rows, axis=0)
    # Along the first axis, so that whole lines are gathered.
    sums = _weighted(_transposed(image), across)
    if antialias:
        sums = _weighted(_transposed(_rounded(sums, _PILLOW_BITS)), down)
        return _rounded(sums, _PILLOW_BITS)
    return _rounded(_weighted(_transposed(sums), down), 2 * _OPENCV_BITS)


@lru_cache(maxsize=64)
def _bicubic(source: int, target: int, interpolation: Interpolation) -> AxisTaps:
    """Without antialias: of four pixels each, where the outermost stand for those beyond."""
    starts, rows = [], []
    for i in range(target):
        below, part = divmod((2 * i + 1) * source - target, 2 * target)
        after = part / (2 * target)
        distances = (1 + after, after, 1 - after, 2 - after)
        starts.append(below - 1)
        rows.append([round(_cubic(each, -0.75) * (1 << _OPENCV_BITS)) for each in distances])
    return _within(source, starts, rows)


@lru_cache(maxsize=64)
def _antialiased(source: int, target: int, interpolation: Interpolation) -> AxisTaps:
    """Of all pixels whose centres lie within the filter, in double precision from left to right,
    made to sum up to 1, and only then rounded, half away from zero."""
    scale = source / target
    wider = max(scale, 1.0)
    reach = _RADIUS[interpolation] * wider
    starts, rows = [], []
    for i in range(target):
        centre = (i + 0.5) * scale
        start = max(int(centre - reach + 0.5), 0)
        stop = min(int(centre + reach + 0.5), source)
        distances = [abs((j - centre + 0.5) * (1.0 / wider)) for j in range(start, stop)]
        if interpolation == "bilinear":
            values = [max(1 - each, 0.0) for each in distances]
        else:
            values = [_cubic(each, -0.5) for each in distances]
        total = 0.0
        for value in values:
            total += value  # sum() would add with more precision
        scaled = [value / total * (1 << _PILLOW_BITS) for value in values]
        starts.append(start)
        rows.append([int(value + 0.5) if value >= 0 else int(value - 0.5) for value in scaled])
    return _within(source, starts, rows)


def _cubic(distance: float, a: float) -> float:
    """Keys' cubic convolution (1981), for distances from 0 on."""
    if distance < 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    if distance < 2:
        return (((distance - 5) * distance + 8) * distance - 4) * a
    return 0.0


def _within(source: int, starts: Sequence[int], rows: Sequence[Sequence[int]]) -> AxisTaps:
    """Taps of pixels that exist: what counts beyond the outermost counts for that one."""
    longest = max(map(len, rows))
    padded = np.array([[*row, *[0] * (longest - len(row))] for row in rows], np.int32)
    count = min(longest, source)
    first = np.clip(starts, 0, source - count)
    at = np.clip(np.add.outer(starts, np.arange(longest)), 0, source - 1) - first[:, np.newaxis]
    weights = np.zeros((len(rows), count), np.int32)
    np.add.at(weights, (np.arange(len(rows))[:, np.newaxis], at), padded)
    return AxisTaps(first, weights)


def _needed(
    image: ByteArray, taps: AxisTaps, wanted: slice, axis: int
) -> tuple[ByteArray, AxisTaps]:
    """What the wanted target pixels take of a picture, and their taps of that."""
    first, weights = taps.first[wanted], taps.weights[wanted]
    needed = np.unique(first[:, np.newaxis] + np.arange(weights.shape[1]))
    if len(needed) == needed[-1] - needed[0] + 1:
        part = slice(needed[0], needed[-1] + 1)
        image = image[part] if axis == 0 else image[:, part]
    else:
        image = image.take(needed, axis)
    return image, AxisTaps(np.searchsorted(needed, first), weights)


def _transposed(array: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """[B, A, C] of [A, B, C]."""
    rows, columns, channels = array.shape
    turned: npt.NDArray[np.integer] = cv2.transpose(np.ascontiguousarray(array))
    return turned.reshape(columns, rows, channels)  # OpenCV drops an axis of length 1


def _weighted(lines: npt.NDArray[np.integer], taps: AxisTaps) -> npt.NDArray[np.int32]:
    """Sums of lines: [N, ...] of [source, ...]. None leaves 32 bits."""
    total = np.zeros((len(taps.first), *lines.shape[1:]), np.int32)
    for k, weights in enumerate(taps.weights.T):
        total += lines[taps.first + k] * weights[:, np.newaxis, np.newaxis]
    return total


def _rounded(total: npt.NDArray[np.int32], bits: int) -> ByteArray:
    """Half up to 8 bits, limited to 0 to 255."""
    total += 1 << (bits - 1)
    return np.clip(total >> bits, 0, 255).astype(np.uint8)

"""Where a picture lies in the model's input, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mobileq.spec import PreprocessSpec
from mobileq.vision.arrays import FloatArray

Rotation = Literal[0, 90, 180, 270]


@dataclass(frozen=True)
class LetterboxTransform:
    """Source picture, turned by `rotation`, resized, and placed in the model's input.

    All are whole pixels. `rotation` is in degrees clockwise and is applied to the source before it
    is resized; `source_width` and `source_height` are those before the rotation, as stored. What
    the resized picture does not cover of `width` x `height` is padding.
    """

    source_width: int
    source_height: int
    rotation: Rotation
    resized_width: int
    resized_height: int
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def fit(
        cls,
        source_width: int,
        source_height: int,
        preprocess: PreprocessSpec,
        rotation: Rotation = 0,
    ) -> LetterboxTransform:
        """Place a picture as `preprocess.resize_mode` says.

        "letterbox" rounds the scaled side half up and centres it, the odd pixel of padding at the
        right or bottom (Ultralytics' `round(padding / 2 - 0.1)`). "letterbox_top_left" rounds
        down and pads at the right and bottom only (YOLOX's `preproc`). "stretch" fills the input.
        Whole-number arithmetic throughout: no floating error can move an edge by a pixel.

        Raises:
            ValueError: A side is not positive, or the rotation is no quarter turn.
        """
        if source_width < 1 or source_height < 1:
            raise ValueError(f"a picture of {source_width} x {source_height} cannot be placed")
        if rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation is {rotation}, expected 0, 90, 180 or 270")
        width, height = preprocess.width, preprocess.height
        turned = (source_width, source_height)
        if rotation in (90, 270):
            turned = (source_height, source_width)
        resized_width, resized_height = _resized(turned, width, height, preprocess.resize_mode)
        centred = preprocess.resize_mode == "letterbox"
        return cls(
            source_width=source_width,
            source_height=source_height,
            rotation=rotation,
            resized_width=resized_width,
            resized_height=resized_height,
            left=(width - resized_width) // 2 if centred else 0,
            top=(height - resized_height) // 2 if centred else 0,
            width=width,
            height=height,
        )

    @property
    def rotated_width(self) -> int:
        """Width of the source after the rotation."""
        return self.source_width if self.rotation in (0, 180) else self.source_height

    @property
    def rotated_height(self) -> int:
        """Height of the source after the rotation."""
        return self.source_height if self.rotation in (0, 180) else self.source_width

    def to_model(self, xyxy: FloatArray) -> FloatArray:
        """Boxes [N, 4] in source pixels to model-input pixels; `to_source` undoes it.

        `x * resized_width / rotated_width + left`, from left to right in float64, rounded once to
        float32 at the end.
        """
        boxes = self._turn(np.asarray(xyxy, np.float64))
        boxes *= _per_side(self.resized_width, self.resized_height)
        boxes /= _per_side(self.rotated_width, self.rotated_height)
        boxes += _per_side(self.left, self.top)
        return boxes.astype(np.float32)

    def to_source(self, xyxy: FloatArray) -> FloatArray:
        """Boxes [N, 4] in model-input pixels to source pixels, not clipped.

        `(x - left) * rotated_width / resized_width`, from left to right in float64, then the
        rotation undone, rounded once to float32 at the end.
        """
        boxes = np.asarray(xyxy, np.float64) - _per_side(self.left, self.top)
        boxes *= _per_side(self.rotated_width, self.rotated_height)
        boxes /= _per_side(self.resized_width, self.resized_height)
        with np.errstate(over="ignore"):  # a broken model's box; clipping makes it finite again
            return self._turn_back(boxes).astype(np.float32)

    def clip(self, xyxy: FloatArray) -> FloatArray:
        """Boxes [N, 4] in source pixels, limited to the source picture."""
        limit = np.array([self.source_width, self.source_height] * 2, np.float32)
        clipped: FloatArray = np.minimum(np.maximum(xyxy, np.float32(0)), limit)
        return clipped

    def _turn(self, xyxy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x1, y1, x2, y2 = xyxy.T
        width, height = self.source_width, self.source_height
        if self.rotation == 90:
            turned = (height - y2, x1, height - y1, x2)
        elif self.rotation == 180:
            turned = (width - x2, height - y2, width - x1, height - y1)
        elif self.rotation == 270:
            turned = (y1, width - x2, y2, width - x1)
        else:
            turned = (x1, y1, x2, y2)
        return np.stack(turned, axis=1)

    def _turn_back(self, xyxy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x1, y1, x2, y2 = xyxy.T
        width, height = self.source_width, self.source_height
        if self.rotation == 90:
            turned = (y1, height - x2, y2, height - x1)
        elif self.rotation == 180:
            turned = (width - x2, height - y2, width - x1, height - y1)
        elif self.rotation == 270:
            turned = (width - y2, x1, width - y1, x2)
        else:
            turned = (x1, y1, x2, y2)
        return np.stack(turned, axis=1)


def _resized(source: tuple[int, int], width: int, height: int, resize_mode: str) -> tuple[int, int]:
    """Width and height of the picture inside the model's input."""
    source_width, source_height = source
    if resize_mode == "stretch":
        return width, height
    half = 1 if resize_mode == "letterbox" else 0  # half up, or down
    if width * source_height <= height * source_width:  # the width decides
        scaled = (2 * source_height * width + half * source_width) // (2 * source_width)
        return width, max(1, scaled)
    scaled = (2 * source_width * height + half * source_height) // (2 * source_height)
    return max(1, scaled), height


def _per_side(x: int, y: int) -> npt.NDArray[np.float64]:
    return np.array([x, y, x, y], np.float64)

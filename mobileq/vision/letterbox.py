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
    the resized picture does not cover of `width` x `height` is padding; what reaches beyond, where
    `left` or `top` is negative, is cut off.
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
        "center_crop" rounds the longer side down and half pixels of the offset to even, as
        torchvision's `Resize` and `CenterCrop` do (`int(edge * long / short)`,
        `int(round((height - crop_height) / 2))`), and timm's with them. Others differ by a pixel:
        PaddlePaddle rounds the longer side, it and Hugging Face's processors round the offset down.
        An input that is not square is covered, as in timm; torchvision would pad it.
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
        resized_width, resized_height = _resized(turned, preprocess)
        mode = preprocess.resize_mode
        return cls(
            source_width=source_width,
            source_height=source_height,
            rotation=rotation,
            resized_width=resized_width,
            resized_height=resized_height,
            left=_offset(width - resized_width, mode),
            top=_offset(height - resized_height, mode),
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


def _resized(source: tuple[int, int], preprocess: PreprocessSpec) -> tuple[int, int]:
    """Width and height of the resized picture."""
    width, height, mode = preprocess.width, preprocess.height, preprocess.resize_mode
    source_width, source_height = source
    if mode == "stretch":
        return width, height
    if mode == "center_crop":
        shorter = min(width, height)
        edge = preprocess.shortest_edge or shorter
        width, height = width * edge // shorter, height * edge // shorter
    half = 1 if mode == "letterbox" else 0  # half up, or down
    by_width, by_height = width * source_height, height * source_width
    if by_width >= by_height if mode == "center_crop" else by_width <= by_height:
        scaled = (2 * source_height * width + half * source_width) // (2 * source_width)
        return width, max(1, scaled)
    scaled = (2 * source_width * height + half * source_height) // (2 * source_height)
    return max(1, scaled), height


def _offset(space: int, mode: str) -> int:
    """Of the resized picture from the input's edge, by the space that it leaves there; negative
    where it is larger."""
    if mode == "letterbox":
        return space // 2
    return -round(-space / 2) if mode == "center_crop" else 0


def _per_side(x: int, y: int) -> npt.NDArray[np.float64]:
    return np.array([x, y, x, y], np.float64)

"""What of pictures stands in a report: small JPEGs, and what a file says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobileq.vision.arrays import ByteArray

_QUALITIES = (80, 65, 50, 35)
"""Of JPEGs: the first that is small enough."""


@dataclass(frozen=True)
class View:
    """One picture as one model answers it; `told` is what it says, in words."""

    label: str
    jpeg: bytes
    told: str


@dataclass(frozen=True)
class ShownPicture:
    """One picture, answered by several; `differs` tells what one of them finds otherwise."""

    name: str
    views: tuple[View, ...]
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Different:
    """How one picture differs from what the ONNX model finds in it."""

    name: str
    amount: float
    told: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A file held against the ONNX model, picture by picture.

    Attributes:
        count: Pictures.
        pictures: Those that differ, the most first.
        values: See `mobileq.tasks.base.Difference`; of all pictures.
    """

    file: str
    count: int
    pictures: tuple[Different, ...]
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class ContactSheet:
    """Pictures as the model sees them: (name, JPEG) of the first, of `count`."""

    pictures: tuple[tuple[str, bytes], ...]
    count: int
    words: str


def jpeg(image: ByteArray, longest: int, most_bytes: int) -> bytes:
    """A picture for a page, as small as it has to be, of which only the worst quality is larger.

    Args:
        image: uint8 [H, W, 3] RGB.
        longest: Of its sides, in pixels.
    """
    import cv2

    from mobileq.vision.image_file import encode_image

    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale < 1.0:
        wanted = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, wanted, interpolation=cv2.INTER_AREA)
    made = b""
    for quality in _QUALITIES:
        made = encode_image(image, ".jpg", quality)
        if len(made) <= most_bytes:
            break
    return made

"""Draw the best classes into a picture for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mobileq.vision.arrays import ByteArray

_FONT = cv2.FONT_HERSHEY_DUPLEX
_BAR, _WHITE = (70, 130, 220), (255, 255, 255)


def draw_classes(image: ByteArray, shares: Sequence[tuple[str, float]]) -> ByteArray:
    """A copy of `image` with classes at its bottom, as many of them as there is room for.

    Each has a bar behind it, across the whole width where its probability is 1.

    Args:
        image: uint8 [H, W, 3], RGB.
        shares: (name, probability), from top to bottom.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    letter = max(7, round(min((width + height) * 0.012, height / 10)))
    thickness = max(1, round(letter / 11))
    scale = cv2.getFontScaleFromHeight(_FONT, letter, thickness)
    line = round(letter * 1.7)
    top = max(0, height - line * len(shares))
    canvas[top:] //= 3
    for rank, (name, share) in enumerate(shares):
        upper = top + rank * line
        long = round(width * min(max(share, 0.0), 1.0))
        cv2.rectangle(canvas, (0, upper), (long, upper + line - 2), _BAR, cv2.FILLED)
        origin = (letter // 2, upper + line - round(letter * 0.4))
        text = f"{share:.2f} {name}"
        cv2.putText(canvas, text, origin, _FONT, scale, _WHITE, thickness, cv2.LINE_AA)
    return canvas

"""Draw detections into a picture for people to look at."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from mobileq.tasks.detect.detections import Detections
from mobileq.vision.arrays import ByteArray

Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_DUPLEX
_GOLDEN_RATIO = 0.618033988749895


def draw_detections(
    image: ByteArray, detections: Detections, labels: Sequence[str] = ()
) -> ByteArray:
    """A copy of `image` with a box, label and score per detection.

    Lines and letters grow with the picture. The best detection is drawn last, on top.

    Args:
        image: uint8 [H, W, 3], RGB.
        detections: In pixels of this picture.
        labels: Class names; a class without one shows as its number.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    line = max(1, round((width + height) * 0.0016))
    boxes = np.rint(detections.xyxy).astype(np.int64)
    for index in reversed(range(len(detections))):
        colour = class_colour(int(detections.class_id[index]))
        x1, y1, x2, y2 = (int(value) for value in boxes[index])
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, line, cv2.LINE_AA)
    for index in reversed(range(len(detections))):
        class_id = int(detections.class_id[index])
        name = labels[class_id] if class_id < len(labels) else str(class_id)
        score = f"{detections.score[index]:.2f}"
        x1, y1 = int(boxes[index, 0]), int(boxes[index, 1])
        _draw_label(canvas, name, score, (x1 - line // 2, y1), class_colour(class_id))
    return canvas


def class_colour(class_id: int) -> Colour:
    """A bright colour that belongs to the class in every picture.

    Hues are steps of the golden ratio round the colour wheel, so that neighbouring classes differ
    most; saturation alternates to tell apart the classes that come back to a similar hue.
    """
    hue = (0.58 + class_id * _GOLDEN_RATIO) % 1.0
    saturation = (0.85, 0.6, 0.75)[class_id % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_label(
    canvas: ByteArray, name: str, score: str, corner: tuple[int, int], colour: Colour
) -> None:
    """Text on a filled bar: above the box's top left corner, or inside where there is no room."""
    height, width = canvas.shape[:2]
    x1, y1 = corner
    letter = max(7, round(min((width + height) * 0.0085, height / 3)))
    thickness = max(1, round(letter / 11))
    scale = cv2.getFontScaleFromHeight(_FONT, letter, thickness)
    padding = max(2, round(letter * 0.35))
    text = f"{name} {score}"
    if cv2.getTextSize(text, _FONT, scale, thickness)[0][0] > width * 0.4:  # a tiny picture
        text = _shortened(name, width - 2 * padding, scale, thickness)
    (text_width, _), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    descent = round(baseline * 0.5)  # OpenCV's baseline is generous
    bar_width, bar_height = text_width + 2 * padding, letter + descent + 2 * padding
    left = min(max(x1, 0), max(0, width - bar_width))
    top = y1 - bar_height if y1 >= bar_height else y1
    top = min(max(top, 0), max(0, height - bar_height))
    cv2.rectangle(
        canvas, (left, top), (left + bar_width - 1, top + bar_height - 1), colour, cv2.FILLED
    )
    origin = (left + padding, top + padding + letter)
    cv2.putText(canvas, text, origin, _FONT, scale, _readable(colour), thickness, cv2.LINE_AA)


def _shortened(text: str, width: int, scale: float, thickness: int) -> str:
    """As much of `text` as fits into `width` pixels."""
    while len(text) > 1 and cv2.getTextSize(text, _FONT, scale, thickness)[0][0] > width:
        text = text[:-1]
    return text


def _readable(background: Colour) -> Colour:
    """Black or white, by the background's luma (ITU-R BT.601)."""
    red, green, blue = background
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return (0, 0, 0) if luma > 140 else (255, 255, 255)

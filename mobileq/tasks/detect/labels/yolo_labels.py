"""Read the label files of YOLO data sets: one line per object, in parts of the picture's sides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from mobileq.errors import InputError, unreadable
from mobileq.regular_file import read_regular
from mobileq.tasks.detect.labels.coco_annotations import MOST_BOXES

_MAX_BYTES = 64 * 1024 * 1024
_HINT = "Correct the file: a line is a class and a box (or polygon) as parts of the picture."
_TOLERANCE = 0.01
"""How far outside 0..1 rounding and loose labelling put a coordinate."""


class LabelBox(NamedTuple):
    """Class index, and centre and sides as parts of the picture's width and height."""

    class_id: int
    center_x: float
    center_y: float
    width: float
    height: float


def label_path(image: Path) -> Path:
    """`labels/a.txt` of `images/a.jpg`: the last folder called `images` is exchanged.

    Without such a folder, the label file is beside the picture.
    """
    parts = list(image.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def read_labels(path: Path, class_ids: frozenset[int]) -> tuple[LabelBox, ...] | None:
    """The boxes of a label file, without repetitions; None where there is no file.

    A line is `class x y width height`, or `class x1 y1 x2 y2 x3 y3 ...`: an outline, of which the
    box around it is taken, as Ultralytics does.

    Raises:
        InputError: The file cannot be read, or a line (which the message names) is neither, is not
            in parts of the picture, or is of no known class.
    """
    if not os.path.lexists(path):
        return None
    try:
        lines = read_regular(path, _MAX_BYTES, "labels").decode("utf-8-sig").splitlines()
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file of labels.", _HINT) from error
    boxes = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            boxes.append(_parse(line.split(), class_ids))
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}.", _HINT) from error
    if len(boxes) > MOST_BOXES:
        raise InputError(f"{path} holds {len(boxes):,} boxes; {MOST_BOXES:,} is the most.", _HINT)
    return tuple(dict.fromkeys(boxes))


def _parse(fields: list[str], class_ids: frozenset[int]) -> LabelBox:
    if len(fields) != 5 and (len(fields) < 7 or len(fields) % 2 == 0):
        raise ValueError(f"{len(fields)} values are neither a class and a box nor an outline")
    try:
        class_id, *values = (float(field) for field in fields)
    except ValueError:
        raise ValueError("there is something that is not a number") from None
    if class_id not in class_ids:
        raise ValueError(f"the class {fields[0]} is not among the names of the data set")
    # Written so that NaN is outside.
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values):
        raise ValueError("the coordinates are not parts of the picture, from 0 to 1")
    if len(values) == 4:
        if min(values[2:]) < 0:
            raise ValueError("the width or height is negative")
        return LabelBox(int(class_id), *values)
    left, right = min(values[0::2]), max(values[0::2])
    top, bottom = min(values[1::2]), max(values[1::2])
    return LabelBox(
        int(class_id),
        (left + right) / 2,
        (top + bottom) / 2,
        right - left,
        bottom - top,
    )

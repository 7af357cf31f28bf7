"""Read COCO instance annotations, strict about all that accuracy depends on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mobileq.errors import InputError, unreadable
from mobileq.manifest import from_json
from mobileq.regular_file import read_regular

MOST_BOXES = 5000
"""In one picture, twice what the densest data sets have: pycocotools' time goes with the number of
boxes times that of detections."""
_MAX_BYTES = 2 * 1024**3

# What a float64 and pycocotools hold exactly.
_Id = Annotated[int, Meta(ge=0, le=2**53)]
_Pixels = Annotated[int, Meta(ge=1, le=1_000_000)]
_Coordinate = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Side = Annotated[float, Meta(ge=0, le=1e6)]

_HINT = "Give COCO annotations with boxes (instances)."


class CocoImage(msgspec.Struct, frozen=True):
    """A picture; width and height are compared with the file where they are given."""

    id: _Id
    file_name: str
    width: _Pixels | None = None
    height: _Pixels | None = None


class CocoBox(msgspec.Struct, frozen=True):
    """A box, [x, y, width, height] in pixels. `area` is that of the object's outline."""

    image_id: _Id
    category_id: _Id
    bbox: tuple[_Coordinate, _Coordinate, _Side, _Side]
    area: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    iscrowd: bool | Annotated[int, Meta(ge=0, le=1)] = 0


class CocoCategory(msgspec.Struct, frozen=True):
    """A class."""

    id: _Id
    name: str


class CocoFile(msgspec.Struct, frozen=True):
    """The parts of the file that are used; outlines, licences and the rest are passed over."""

    images: list[CocoImage]
    annotations: list[CocoBox]
    categories: list[CocoCategory]


def read_coco(path: Path) -> CocoFile:
    """Read and check an annotation file.

    Raises:
        InputError: It cannot be read, is no COCO JSON, an id occurs twice, or a box refers to a
            picture or category that the file does not have.
    """
    try:
        data = read_regular(path, _MAX_BYTES, "annotations")
    except OSError as error:
        raise unreadable(path, error) from error
    content = from_json(data, CocoFile, str(path), _HINT)
    problem = _problem(content)
    if problem:
        raise InputError(f"{path} cannot be used: {problem}.", _HINT)
    return content


def _problem(content: CocoFile) -> str | None:
    for field, entries in (
        ("images", content.images),
        ("annotations", content.annotations),
        ("categories", content.categories),
    ):
        if not entries:
            return f"`{field}` is empty"
    image_ids = {image.id for image in content.images}
    category_ids = {category.id for category in content.categories}
    if len(image_ids) < len(content.images):
        return f"`images` holds the id {_twice(image.id for image in content.images)} twice"
    if len(category_ids) < len(content.categories):
        twice = _twice(category.id for category in content.categories)
        return f"`categories` holds the id {twice} twice"
    image_id, count = Counter(box.image_id for box in content.annotations).most_common(1)[0]
    if count > MOST_BOXES:
        return (
            f"`annotations` holds {count:,} boxes for image {image_id}; {MOST_BOXES:,} is the most"
        )
    for index, box in enumerate(content.annotations):
        if box.image_id not in image_ids:
            return f"`annotations[{index}]` is for image {box.image_id}, which is not in `images`"
        if box.category_id not in category_ids:
            return (
                f"`annotations[{index}]` is of category {box.category_id}, "
                "which is not in `categories`"
            )
    return None


def _twice(values: Iterable[int]) -> int:
    seen: set[int] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    raise ValueError("no value occurs twice")

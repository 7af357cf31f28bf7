"""What `predict` gives: what was found by picture, told as a table, shown as pictures."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from mobileq.errors import InputError
from mobileq.page import HtmlPage, Page, Told, most_first, plural
from mobileq.spec import Spec

if TYPE_CHECKING:
    from mobileq.vision.arrays import ByteArray

_ROWS_SHOWN = 100
_PICTURES_SHOWN = 8
_LONGEST_SIDE = 800
"""Of a picture in a notebook, which keeps all that it shows in its file."""
_PIXELS = "_pixels"


class Item(Protocol):
    """One thing that was found."""

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of a table, under `PicturePrediction.columns`."""
        ...


class PicturePrediction(Told, Spec, frozen=True, kw_only=True, dict=True):
    """What was found in one picture; `drawn` is the file that shows or holds it.

    `image` is its path, or "picture 3" for the third array; `frame` its number in a video, from 0.
    """

    columns: ClassVar[tuple[str, ...]] = ()
    thing: ClassVar[str] = "thing"
    """What an item is, in the singular."""
    made: ClassVar[str] = "Drawn"
    """What became of `drawn`."""

    image: str
    frame: int | None = None
    drawn: str | None = None

    @property
    def items(self) -> Sequence[Item]:
        """What was found."""
        raise NotImplementedError

    @property
    def counted(self) -> tuple[str, ...]:
        """Names to be counted over many pictures; none where that says nothing."""
        return ()

    @property
    def name(self) -> str:
        """What tables call it: `street.jpg`, `street.mp4 #12`."""
        return Path(self.image).name + ("" if self.frame is None else f" #{self.frame}")

    def with_pixels(self, image: ByteArray) -> Self:
        """The same, which remembers a picture that is in no file. JSON does not hold it."""
        self.__dict__[_PIXELS] = image
        return self

    def draw(self) -> ByteArray:
        """The picture with what was found: uint8 [H, W, 3], RGB.

        Raises:
            InputError: Its file is not there any more.
        """
        return self.picture()

    def tell(self, page: Page) -> None:
        """What was found."""
        if self.items:
            page.table(self.columns, [each.cells for each in self.items], self.name)
        else:
            page.line(f"Nothing was found in {self.name}.")

    def show(self, page: HtmlPage) -> None:
        """The picture with what was found; nothing where its file is gone."""
        from mobileq.vision.image_file import encode_image

        try:
            drawn = self.draw()
        except InputError:
            return
        page.picture(encode_image(_smaller(drawn), ".jpg"), self.name)

    def picture(self) -> ByteArray:
        """The picture alone, read again where it is from a file. Raises as `draw`."""
        from mobileq.calibration.video_frames import VideoStream
        from mobileq.vision.image_file import read_image

        if _PIXELS in self.__dict__:
            pixels: ByteArray = self.__dict__[_PIXELS]
            return pixels
        if self.frame is None:
            return read_image(self.image)
        frames = itertools.islice(VideoStream(Path(self.image)), self.frame, None)
        reading = next(frames, None)
        if reading is None or reading.array is None:
            raise InputError(f"{self.image} has no frame {self.frame} any more.", "Run it again.")
        return reading.array

    def _repr_html_(self) -> str:
        page = HtmlPage()
        self.show(page)
        self.tell(page)
        return page.html

    def __repr__(self) -> str:
        found = _counts(self.counted) or _number(len(self.items), self.thing)
        return f"<{type(self).__name__} {self.name}: {found}>"


class PredictionRun[P: PicturePrediction](Told, Spec, frozen=True, kw_only=True):
    """What `predict` prints. It has a length, an order and indices: those of `pictures`."""

    model: str
    interpreter: str
    pictures: tuple[P, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[P]:
        return iter(self.pictures)

    def __getitem__(self, index: int) -> P:
        return self.pictures[index]

    def tell(self, page: Page) -> None:
        """What was found; of much the first, and how often there was what."""
        kind, pictures = type(self.pictures[0]), plural(len(self.pictures), "picture")
        found = [(picture, each) for picture in self.pictures for each in picture.items]
        rows = [(picture.name, *each.cells) for picture, each in found[:_ROWS_SHOWN]]
        if rows:
            page.table(("picture", *kind.columns), rows)
        else:
            page.line(f"Nothing was found in {pictures}.")
        if more := len(found) - len(rows):
            page.line(f"{_number(more, f'more {kind.thing}')}; --json has all.", "quiet")
            if total := _counts([name for picture in self.pictures for name in picture.counted]):
                page.line(f"In {pictures}: {total}")
        for drawn in dict.fromkeys(picture.drawn for picture in self.pictures if picture.drawn):
            page.line(f"{kind.made}: {drawn}")

    def _repr_html_(self) -> str:
        page = HtmlPage()
        for picture in self.pictures[:_PICTURES_SHOWN]:
            picture.show(page)
        self.tell(page)
        return page.html

    def __repr__(self) -> str:
        count = sum(len(picture.items) for picture in self.pictures)
        things = _number(count, type(self.pictures[0]).thing)
        found = f"{things} in {plural(len(self.pictures), 'picture')}"
        return f"<{type(self).__name__} of {self.model}: {found}>"


def _number(count: int, thing: str) -> str:
    """`3 classes`."""
    return plural(count, thing) if count == 1 or not thing.endswith("s") else f"{count:,} {thing}es"


def _counts(names: Sequence[str]) -> str:
    """How often each: `12 car, 3 person`."""
    return ", ".join(f"{count} {name}" for name, count in most_first(Counter(names)))


def _smaller(image: ByteArray) -> ByteArray:
    import cv2

    height, width = image.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1.0:
        return image
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    smaller: ByteArray = cv2.resize(image, wanted, interpolation=cv2.INTER_AREA)
    return smaller

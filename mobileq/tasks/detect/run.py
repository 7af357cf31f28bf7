"""What `detect` gives: objects by picture, told as a table, shown as pictures with boxes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import InputError
from mobileq.page import HtmlPage, Page, Told, most_first, plural
from mobileq.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.vision.arrays import ByteArray

_OBJECTS_SHOWN = 100
_PICTURES_SHOWN = 8
_LONGEST_SIDE = 800
"""Of a picture in a notebook, which keeps all that it shows in its file."""
_COLUMNS = ("class", "score", "box: left, top, right, bottom")
_PIXELS = "_pixels"


class DetectedObject(Spec, frozen=True, kw_only=True):
    """Box in pixels of the picture."""

    label: str
    class_id: int
    score: float
    xyxy: tuple[float, ...]

    def cells(self) -> tuple[str, str, str]:
        """As a row of a table."""
        return self.label, f"{self.score:.3f}", ", ".join(f"{value:.0f}" for value in self.xyxy)


class PictureDetections(Told, Spec, frozen=True, kw_only=True, dict=True):
    """What was found in one picture at the display thresholds; `drawn` is where it was drawn.

    `image` is its path, or "picture 3" for the third array; `frame` its number in a video, from 0.
    """

    image: str
    frame: int | None = None
    objects: tuple[DetectedObject, ...]
    drawn: str | None = None

    @property
    def name(self) -> str:
        """What tables call it: `street.jpg`, `street.mp4 #12`."""
        return Path(self.image).name + ("" if self.frame is None else f" #{self.frame}")

    @property
    def xyxy(self) -> NDArray[Any]:
        """The boxes: float32 [N, 4], left, top, right, bottom in pixels of the picture."""
        import numpy as np

        return np.array([found.xyxy for found in self.objects], np.float32).reshape(-1, 4)

    @property
    def score(self) -> NDArray[Any]:
        """float32 [N], falling."""
        import numpy as np

        return np.array([found.score for found in self.objects], np.float32)

    @property
    def class_id(self) -> NDArray[Any]:
        """int64 [N]."""
        import numpy as np

        return np.array([found.class_id for found in self.objects], np.int64)

    def with_pixels(self, image: ByteArray) -> PictureDetections:
        """The same, which remembers a picture that is in no file. JSON does not hold it."""
        self.__dict__[_PIXELS] = image
        return self

    def draw(self) -> ByteArray:
        """The picture with its boxes: uint8 [H, W, 3], RGB.

        Raises:
            InputError: Its file is not there any more.
        """
        from mobileq.tasks.detect.detections import Detections
        from mobileq.tasks.detect.draw import draw_detections

        found = Detections(xyxy=self.xyxy, score=self.score, class_id=self.class_id)
        names = {each.class_id: each.label for each in self.objects}
        labels = [names.get(index, "") for index in range(max(names, default=-1) + 1)]
        return draw_detections(self._picture(), found, labels)

    def tell(self, page: Page) -> None:
        """Its objects."""
        if self.objects:
            page.table(_COLUMNS, [found.cells() for found in self.objects], self.name)
        else:
            page.line(f"Nothing was found in {self.name}.")

    def show(self, page: HtmlPage) -> None:
        """The picture with its boxes; nothing where its file is gone."""
        from mobileq.vision.image_file import encode_image

        try:
            drawn = self.draw()
        except InputError:
            return
        page.picture(encode_image(_smaller(drawn), ".jpg"), self.name)

    def _repr_html_(self) -> str:
        page = HtmlPage()
        self.show(page)
        self.tell(page)
        return page.html

    def __repr__(self) -> str:
        return f"<PictureDetections {self.name}: {_counted(self.objects) or 'nothing'}>"

    def _picture(self) -> ByteArray:
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
            raise InputError(f"{self.image} has no frame {self.frame} any more.", "Detect again.")
        return reading.array


class DetectionRun(Told, Spec, frozen=True, kw_only=True):
    """What `detect` prints. It has a length, an order and indices: those of `pictures`."""

    model: str
    interpreter: str
    pictures: tuple[PictureDetections, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    coco: str | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[PictureDetections]:
        return iter(self.pictures)

    def __getitem__(self, index: int) -> PictureDetections:
        return self.pictures[index]

    def tell(self, page: Page) -> None:
        """What was found; of many objects the first, and how many there are of each class."""
        found = [(picture, each) for picture in self.pictures for each in picture.objects]
        rows = [(picture.name, *each.cells()) for picture, each in found[:_OBJECTS_SHOWN]]
        if rows:
            page.table(("picture", *_COLUMNS), rows)
        else:
            page.line(f"Nothing was found in {plural(len(self.pictures), 'picture')}.")
        if len(found) > len(rows):
            page.line(f"{len(found) - len(rows)} more objects; --json has all.", "quiet")
            total = _counted(tuple(each for _, each in found))
            page.line(f"In {plural(len(self.pictures), 'picture')}: {total}")
        for drawn in dict.fromkeys(picture.drawn for picture in self.pictures if picture.drawn):
            page.line(f"Drawn: {drawn}")
        if self.coco:
            page.line(f"COCO results: {self.coco}")

    def _repr_html_(self) -> str:
        page = HtmlPage()
        for picture in self.pictures[:_PICTURES_SHOWN]:
            picture.show(page)
        self.tell(page)
        return page.html

    def __repr__(self) -> str:
        count = sum(len(picture.objects) for picture in self.pictures)
        found = f"{plural(count, 'object')} in {plural(len(self.pictures), 'picture')}"
        return f"<DetectionRun of {self.model}: {found}>"


def _counted(objects: tuple[DetectedObject, ...]) -> str:
    """How many of each class: `12 car, 3 person`."""
    counts = Counter(found.label for found in objects)
    return ", ".join(f"{count} {label}" for label, count in most_first(counts))


def _smaller(image: ByteArray) -> ByteArray:
    import cv2

    height, width = image.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1.0:
        return image
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    smaller: ByteArray = cv2.resize(image, wanted, interpolation=cv2.INTER_AREA)
    return smaller

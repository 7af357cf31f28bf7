"""Pictures with what was found in them, on disk: one file each, a video of a video's frames; of
answers that can't be drawn, their arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mobileq.array_file import write_npz
from mobileq.calibration.image_files import IMAGE_SUFFIXES
from mobileq.calibration.sources import printable
from mobileq.errors import InputError
from mobileq.tasks.base import Answer
from mobileq.workflows.pictures import Picture
from mobileq.workflows.results import written_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.vision.arrays import ByteArray

    Draw = Callable[[ByteArray, Answer], ByteArray]

_OPTION = "--output"
_FRAMES_PER_SECOND = 25.0
"""Of a video that does not say."""


class Drawings:
    """Draws into a folder. Leaving the context completes a video, or drops it after an error.

    Args:
        draw: See `mobileq.tasks.base.Predictor`; None for answers that are arrays by name.
    """

    def __init__(self, folder: Path, draw: Draw | None) -> None:
        self._folder, self._draw = folder, draw
        self._names: set[str] = set()
        self._video: _Video | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.close(error)

    def add(self, picture: Picture, answer: Answer) -> str:
        """Draw one picture, or save its arrays; the file that it is in, as people are told."""
        from mobileq.vision.image_file import write_image

        assert picture.image is not None
        if self._draw is None:
            return self._save(picture, answer)
        drawn = self._draw(picture.image, answer)
        if picture.frame is not None:
            return self._add_frame(picture, drawn)
        target = self._folder / self._name(picture)
        with written_whole(target, _OPTION) as file:
            write_image(file, drawn)
        return printable(str(target))

    def _save(self, picture: Picture, arrays: Mapping[str, NDArray[Any]]) -> str:
        suffix = ".npz" if picture.frame is None else f"-{picture.frame:06}.npz"
        target = self._folder / self._name(picture, suffix)
        with written_whole(target, _OPTION) as file:
            write_npz(file, arrays)
        return printable(str(target))

    def _add_frame(self, picture: Picture, drawn: ByteArray) -> str:
        if self._video is None or not self._video.goes_on_with(picture):
            if self._video is not None:
                self._video.close()
            self._video = _Video(self._folder / self._name(picture, ".mp4"), picture, drawn)
        self._video.add(picture, drawn)
        return printable(str(self._video.path))

    def _name(self, picture: Picture, suffix: str = "") -> str:
        """Pictures of one name from two folders stay apart."""
        stem = picture.path.stem if picture.path else picture.name.replace(" ", "-")
        if not suffix:
            suffix = picture.path.suffix if picture.path else ".png"
            if suffix.lower() not in IMAGE_SUFFIXES:  # a picture all the same, by its contents
                suffix += ".png"
        name, number = stem + suffix, 2
        while name in self._names:
            name = f"{stem}-{number}{suffix}"
            number += 1
        self._names.add(name)
        return name


class _Video:
    """An MP4 (MPEG-4 Part 2: the wheels of opencv-python have no H.264 encoder)."""

    def __init__(self, path: Path, picture: Picture, drawn: ByteArray) -> None:
        import cv2

        self.path, self._source = path, picture.path
        self._last, self._count = -1, 0
        self._stack = ExitStack()
        self._file = self._stack.enter_context(written_whole(path, _OPTION))
        height, width = drawn.shape[:2]
        self._writer: Any = cv2.VideoWriter(
            str(self._file),
            cv2.VideoWriter.fourcc(*"mp4v"),
            picture.frames_per_second or _FRAMES_PER_SECOND,
            (width, height),
        )

    def goes_on_with(self, picture: Picture) -> bool:
        """Whether the picture is a later frame of the same video."""
        return picture.path == self._source and (picture.frame or 0) > self._last

    def add(self, picture: Picture, drawn: ByteArray) -> None:
        """One more frame."""
        self._writer.write(drawn[:, :, ::-1].copy())
        self._last, self._count = picture.frame or 0, self._count + 1

    def close(self, error: BaseException | None = None) -> None:
        """Complete the file, or drop it where something failed.

        Raises:
            InputError: OpenCV, which reports nothing, did not write all of it.
        """
        self._writer.release()
        if error is None and self._written() != self._count:
            error = InputError(
                f"{self.path} can't be written as a video.",
                "Free some disk space, or leave out --output.",
            )
            with suppress(InputError):
                self._stack.__exit__(type(error), error, None)
            raise error
        self._stack.__exit__(type(error) if error else None, error, None)

    def _written(self) -> int:
        import cv2

        capture = cv2.VideoCapture(str(self._file))
        try:
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        finally:
            capture.release()

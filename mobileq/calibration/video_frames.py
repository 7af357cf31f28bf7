"""The frames of a video file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mobileq.calibration.sources import Reading, SourceKind
from mobileq.errors import InputError, unreadable
from mobileq.hashing import file_digest
from mobileq.regular_file import require_regular

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
)


class VideoFrames:
    """A video, decoded from its start each time: seeking is not exact in all formats.

    Raises:
        InputError: OpenCV cannot decode one frame.
    """

    kind: SourceKind = "video"
    in_time = True
    notices: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        # The frame count in the file's header is an estimate in several formats.
        self.count = sum(1 for _ in _grab(path))
        if self.count == 0:
            raise _undecodable(path)

    def id(self, position: int) -> str:
        return f"frame-{position:06d}"

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        wanted = iter(positions)
        position = next(wanted, None)
        for number, capture in enumerate(_grab(self._path)):
            if position is None:
                return
            if number != position:
                continue
            yield _retrieved(capture, position)
            position = next(wanted, None)
        while position is not None:
            yield Reading(position, None, "lies behind the end of the video.")
            position = next(wanted, None)

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        yield file_digest(self._path)


class VideoStream:
    """All frames of a video, once, as they are decoded; how many there are shows at the end.

    Raises:
        InputError: OpenCV cannot decode one frame.
    """

    def __init__(self, path: Path) -> None:
        import cv2

        self._captures = _grab(path)
        first = next(self._captures, None)
        if first is None:
            raise _undecodable(path)
        self._first = _retrieved(first, 0)
        self.frames_per_second = float(first.get(cv2.CAP_PROP_FPS))

    def __iter__(self) -> Iterator[Reading]:
        yield self._first
        for position, capture in enumerate(self._captures, 1):
            yield _retrieved(capture, position)


def _grab(path: Path) -> Iterator[Any]:
    """The capture, once per frame."""
    import cv2

    try:
        require_regular(path)
    except OSError as error:
        raise unreadable(path, error) from error
    capture = cv2.VideoCapture(str(path))
    try:
        while capture.grab():
            yield capture
    finally:
        capture.release()


def _retrieved(capture: Any, position: int) -> Reading:
    import cv2

    decoded, frame = capture.retrieve()
    if decoded and frame is not None and frame.ndim == 3:
        return Reading(position, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return Reading(position, None, "cannot be decoded.")


def _undecodable(path: Path) -> InputError:
    return InputError(
        f"{path} is not a video that can be decoded.",
        "Convert it to MP4 (H.264), or give a folder of images.",
    )

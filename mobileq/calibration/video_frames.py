"""The frames of a video file, decoded in a child process (`video_reader`): what a strange file does
to ffmpeg stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.calibration.sources import Reading, SourceKind
from mobileq.errors import InputError, unreadable
from mobileq.external.child import Child
from mobileq.hashing import file_digest
from mobileq.regular_file import require_regular

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
)


class VideoFrames:
    """A video, decoded from its start each time: seeking is not exact in all formats.

    Raises:
        InputError: OpenCV cannot decode one frame.
        ToolError: It crashed on the file.
    """

    kind: SourceKind = "video"
    in_time = True
    notices: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        # The frame count in the file's header is an estimate in several formats.
        with _opened(path) as video:
            self.count = video.left()
        if self.count == 0:
            raise _undecodable(path)

    def id(self, position: int) -> str:
        return f"frame-{position:06d}"

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        if not positions:
            return
        with _opened(self._path) as video:
            reading: Reading | None = Reading(-1, None)
            for position in positions:
                reading = reading and video.read(position)
                yield reading or Reading(position, None, "lies behind the end of the video.")

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        yield file_digest(self._path)


class VideoStream:
    """All frames of a video, once, as they are decoded; how many there are shows at the end.

    Raises:
        InputError: OpenCV cannot decode one frame.
        ToolError: It crashed on the file.
    """

    def __init__(self, path: Path) -> None:
        self._readings = _all_of(path)
        first = next(self._readings, None)
        if first is None:
            raise _undecodable(path)
        self.frames_per_second, self._first = first

    def __iter__(self) -> Iterator[Reading]:
        yield self._first
        for _, reading in self._readings:
            yield reading


def _all_of(path: Path) -> Iterator[tuple[float, Reading]]:
    """Frames a second, and each of them."""
    with _opened(path) as video:
        position = 0
        while (reading := video.read(position)) is not None:
            yield video.frames_per_second, reading
            position += 1


class _Video:
    """The child's video, which is read forward only."""

    def __init__(self, child: Child, path: Path) -> None:
        self._child, self._next = child, 0
        answer = child.request("open", {"path": str(path)})[0]
        self.frames_per_second = float(answer["frames_per_second"])

    def left(self) -> int:
        """How many frames there are from here to the end, which is reached by it."""
        return int(self._child.request("count")[0]["count"])

    def read(self, position: int) -> Reading | None:
        """The frame at a position that has not been passed; None behind the end."""
        answer, arrays = self._child.request("read", {"skipped": position - self._next})
        self._next = position + 1
        if answer["ended"]:
            return None
        frame: npt.NDArray[np.uint8] | None = arrays.get("frame")
        return Reading(position, frame, "" if frame is not None else "cannot be decoded.")


@contextmanager
def _opened(path: Path) -> Iterator[_Video]:
    try:
        require_regular(path)
    except OSError as error:
        raise unreadable(path, error) from error
    with Child(
        "mobileq.calibration.video_reader:VideoReader",
        stage=f"decoding {path.name}",
        tool="OpenCV",
        advice="Convert it to MP4 (H.264), or give a folder of images.",
    ) as child:
        yield _Video(child, path)


def _undecodable(path: Path) -> InputError:
    return InputError(
        f"{path} is not a video that can be decoded.",
        "Convert it to MP4 (H.264), or give a folder of images.",
    )

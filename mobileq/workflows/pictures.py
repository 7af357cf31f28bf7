"""The pictures that a command is given: files, folders, patterns, videos, arrays; one at a time."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from mobileq.calibration.image_files import folder_source
from mobileq.calibration.sources import printable
from mobileq.calibration.video_frames import VIDEO_SUFFIXES, VideoStream
from mobileq.errors import InputError, ToolError, UsageError
from mobileq.paths import StrPath

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.vision.arrays import ByteArray

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""`https://...`, of whose two slashes a `Path` leaves one. A drive has one letter."""

type GivenPicture = StrPath | SupportsArray
"""A path (picture, folder, video, pattern), or pixels: uint8 [H, W, 3] in RGB, [H, W] or [H, W, 4],
[N, H, W, 3] for several; a Pillow image is one too."""


class SupportsArray(Protocol):
    """What NumPy can make an array of."""

    def __array__(self) -> NDArray[Any]: ...


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture, or why it can't be read.

    Attributes:
        name: What people are told: the file's path, or "picture 3" for the third array.
        image: uint8 [H, W, 3] RGB; None where `problem` says why.
        path: The file that it is from.
        frame: Its number in a video, from 0.
        frames_per_second: Of the video.
    """

    name: str
    image: ByteArray | None
    problem: str = ""
    path: Path | None = None
    frame: int | None = None
    frames_per_second: float = 0.0


class Pictures:
    """Iterates over what was given, in order, with one picture in memory.

    Attributes:
        files: The picture files, where there is nothing but such; else None.
        notices: What was passed over in folders.

    Raises:
        UsageError: There is nothing at a path, nothing was given, or an array is no picture.
        InputError: A folder holds no pictures.
    """

    def __init__(self, given: GivenPicture | Iterable[GivenPicture]) -> None:
        self.notices: tuple[str, ...] = ()
        self._items: list[Path | ByteArray] = []
        for each in _listed(given):
            self._add(each)
        if not self._items:
            raise UsageError("No pictures were given.", "Name pictures or folders of them.")

    @property
    def files(self) -> list[Path] | None:
        paths = [item for item in self._items if isinstance(item, Path) and not _is_video(item)]
        return paths if len(paths) == len(self._items) else None

    @property
    def count(self) -> int | None:
        """How many; None where a video is among them, which tells only when it has been read."""
        if any(isinstance(item, Path) and _is_video(item) for item in self._items):
            return None
        return len(self._items)

    def __iter__(self) -> Iterator[Picture]:
        for number, item in enumerate(self._items, 1):
            if not isinstance(item, Path):
                yield Picture(f"picture {number}", item)
            elif _is_video(item):
                yield from _frames(item)
            else:
                yield _read(item)

    def _add(self, given: GivenPicture) -> None:
        if not isinstance(given, str | os.PathLike):
            self._items += _as_pictures(given)
            return
        for path in _matching(Path(given)):
            if path.is_dir():
                source = folder_source(path)
                self.notices += source.notices
                self._items += source.paths
            else:
                self._items.append(path)


def _listed(given: GivenPicture | Iterable[GivenPicture]) -> list[GivenPicture]:
    if isinstance(given, str | os.PathLike) or _is_array(given):
        return [given]
    if not isinstance(given, Iterable):
        raise UsageError(
            f"A {type(given).__name__} is no picture.",
            "Give paths, or uint8 arrays [height, width, 3] in RGB.",
        )
    return list(given)


def _is_array(given: object) -> TypeGuard[SupportsArray]:
    return hasattr(given, "__array__") or hasattr(given, "__array_interface__")  # Pillow


def _matching(path: Path) -> list[Path]:
    """The path, or what a pattern matches that nobody expanded (Python, Windows, quotes)."""
    if path.exists():
        return [path]
    if _ADDRESS.match(str(path)):
        address = str(path).replace(":/", "://", 1)
        raise UsageError(
            f"{address} is an address, and mobileq fetches nothing from a network.",
            "Download the picture and give its path.",
        )
    if glob.has_magic(str(path)):
        found = sorted(glob.glob(str(path), recursive=True))
        if found:
            return [Path(name) for name in found]
        raise UsageError(f"There is no picture that {path} matches.", "Check the pattern.")
    raise UsageError(f"There is no picture {path}.", "Check the path.")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _read(path: Path) -> Picture:
    from mobileq.vision.image_file import read_image

    name = printable(str(path))
    try:
        return Picture(name, read_image(path), path=path)
    except InputError as error:
        return Picture(name, None, error.message, path)


def _frames(path: Path) -> Iterator[Picture]:
    name = printable(str(path))
    try:
        video = VideoStream(path)
        for reading in video:
            problem = reading.problem and f"Frame {reading.position} of {path} {reading.problem}"
            yield Picture(
                *(name, reading.array, problem, path),
                *(reading.position, video.frames_per_second),
            )
    except (InputError, ToolError) as error:
        yield Picture(name, None, error.message, path)


def _as_pictures(given: GivenPicture) -> list[ByteArray]:
    """uint8 [H, W, 3] of what NumPy can read.

    Raises:
        UsageError: It is none of the arrays that are pictures without a doubt.
    """
    import numpy as np

    if hasattr(given, "mode") and hasattr(given, "convert"):  # Pillow; a palette is no grey
        given = given.convert("RGB")
    array = np.asarray(given)
    if array.dtype == np.uint8:
        if array.ndim == 2 or array.shape[2:] == (1,):
            return [np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)]
        if array.ndim == 3 and array.shape[2] in (3, 4) and array.size:
            return [np.ascontiguousarray(array[:, :, :3])]
        if array.ndim == 4 and array.shape[3] == 3 and array.size:
            return list(array)
    raise UsageError(
        f"An array of {array.dtype} {list(array.shape)} is no picture.",
        "Give uint8 arrays [height, width, 3] in RGB (OpenCV's BGR: image[:, :, ::-1]).",
    )

"""Image files from a folder, a `data.yaml`, or one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mobileq.calibration.data_yaml import DataYaml
from mobileq.calibration.sources import Reading, SourceKind, printable, some
from mobileq.errors import InputError, unreadable
from mobileq.hashing import file_digest
from mobileq.regular_file import read_regular

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_MAX_LIST_BYTES = 256 * 1024 * 1024
_LIST_HINT = "Give a text file with the path of one image a line."


class ImageFiles:
    """Image files, each with an id that does not depend on where the data set lies."""

    in_time = False

    def __init__(
        self, kind: SourceKind, files: dict[str, Path], notices: tuple[str, ...] = ()
    ) -> None:
        self.kind = kind
        self.count = len(files)
        self.notices = notices
        self._ids = tuple(files)
        self.paths = tuple(files.values())

    def id(self, position: int) -> str:
        return self._ids[position]

    def path(self, position: int) -> Path:
        return self.paths[position]

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        from mobileq.vision.preprocess import read_image

        for position in positions:
            path = self.paths[position]
            try:
                yield Reading(position, read_image(path))
            except InputError as error:
                # Reasons go into manifests, where this machine's folders have no place.
                yield Reading(position, None, error.message.removeprefix(f"{path} "))

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            yield file_digest(self.paths[position])


def folder_source(folder: Path) -> ImageFiles:
    """All images below a folder, sorted by relative path.

    Raises:
        InputError: There are none, or the folder cannot be read.
    """
    notices = _Notices()
    files = dict(_images_below(folder, folder, notices))
    if not files:
        raise InputError(
            f"{folder} holds no images.", f"Known are {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return ImageFiles("folder", dict(sorted(files.items())), notices.texts())


def data_yaml_source(data: DataYaml, split: str) -> ImageFiles:
    """The images of a split of a `data.yaml`: folders, lists of files, or both.

    Raises:
        UsageError: There is no such split.
        InputError: The split holds no images, or a part of it cannot be read.
    """
    notices = _Notices()
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for place in data.places(split):
        if place.is_dir():
            pairs = _images_below(place, data.root, notices)
        elif place.suffix.lower() == ".txt":
            pairs = _listed(place, data.root)
        else:
            pairs = iter([(_identity(place, data.root, place.parent), place)])
        for name, path in pairs:
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                found[_unused(name, found)] = path
    if not found:
        raise InputError(
            f"{data.file}: the split {split!r} holds no images.",
            "Correct the split in that file, or give a folder of images.",
        )
    return ImageFiles("data_yaml", dict(sorted(found.items())), notices.texts())


class _Notices:
    """Counts what was passed over, for one sentence each."""

    def __init__(self) -> None:
        self.ignored: list[str] = []
        self.closed: list[str] = []

    def texts(self) -> tuple[str, ...]:
        return tuple(
            f"{len(names)} {what}: {some(names)}."
            for names, what in (
                (self.ignored, "files that are no images were ignored"),
                (self.closed, "folders could not be read"),
            )
            if names
        )


def _images_below(folder: Path, root: Path, notices: _Notices) -> Iterator[tuple[str, Path]]:
    """Id and path of every image; hidden files and folders are passed over in silence."""

    def closed(error: OSError) -> None:
        if error.filename == str(folder):
            raise unreadable(folder, error) from error
        notices.closed.append(printable(os.path.relpath(error.filename, folder)))

    visited = set()
    for parent, folders, names in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:  # a link to a folder above
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES:
                yield _identity(path, root, folder), path
            else:
                notices.ignored.append(printable(path.relative_to(folder).as_posix()))


def _identity(path: Path, root: Path, folder: Path) -> str:
    """The path below the data set's root; outside of it, below the folder, with its name."""
    if path.is_relative_to(root):
        return printable(path.relative_to(root).as_posix())
    return printable(f"{folder.name}/{path.relative_to(folder).as_posix()}")


def _unused(name: str, taken: dict[str, Path]) -> str:
    number = 2
    candidate = name
    while candidate in taken:
        candidate = f"{name} ({number})"
        number += 1
    return candidate


def _listed(file: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """The paths in a list file, one a line, relative to the list's folder or to the root."""
    try:
        text = os.fsdecode(read_regular(file, _MAX_LIST_BYTES, "a list of images"))
    except OSError as error:
        raise unreadable(file, error) from error
    for line in text.removeprefix("\ufeff").splitlines():
        text = line.strip().replace("\\", "/")
        if not text:
            continue
        if "\0" in text or Path(text).suffix.lower() not in IMAGE_SUFFIXES:
            raise InputError(
                f"{file} is not a list of images: it has the line {text[:80]!r}.", _LIST_HINT
            )
        path = file.parent / text
        if not os.path.lexists(path) and os.path.lexists(root / text):
            path = root / text
        path = Path(os.path.normpath(path))
        yield _identity(path, root, path.parent), path

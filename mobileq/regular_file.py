"""Reading what a person named: a regular file, up to a size.

A pipe without a writer is waited for without end, and /dev/zero never ends.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

from mobileq.errors import UnusableFileError

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)
_PIECE = 1 << 20
MAX_MODEL_BYTES = 2**31 - 1
"""Neither protobuf nor flatbuffers take larger files."""


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file to be read.

    Raises:
        UnusableFileError: It is a pipe, a device or a socket.
        OSError: It cannot be opened, or is a folder.
        ValueError: The path holds a NUL character.
    """
    require_regular(path)
    # What it is may change from one moment to the next: without waiting, and looked at again.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _require(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(path: Path) -> os.stat_result:
    """For what others read by its path; gives its status. Raises as `open_regular`."""
    status = os.stat(path)
    _require(path, status)
    return status


def read_regular(path: Path, limit: int, what: str) -> bytes:
    """The content of a file.

    Args:
        limit: Bytes; a file that has more is refused.
        what: What it should be, for the message: "a recipe".

    Raises:
        UnusableFileError: It has more, or is a pipe, a device or a socket.
        OSError, ValueError: As `open_regular`.
    """
    pieces, read = [], 0
    with open_regular(path) as file:
        wanted = min(os.fstat(file.fileno()).st_size, limit) + 1
        while piece := file.read(wanted):
            pieces.append(piece)
            read += len(piece)
            if read > limit:
                raise UnusableFileError(
                    errno.EFBIG,
                    f"it has more than {_shown(limit)}, too much for {what}",
                    path,
                    "Check that it is the right file.",
                )
            wanted = _PIECE  # it grows, or is of /proc, where files have no size
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _require(path: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((name for test, name in _KINDS if test(status.st_mode)), "special file")
    raise UnusableFileError(
        errno.EINVAL,
        f"it is a {kind}, not a file",
        path,
        "Save what it gives into a file, and give that.",
    )


def _shown(limit: int) -> str:
    """Of a limit that is a whole number of MB or GB.

    >>> _shown(4 << 20), _shown((2 << 30) - 1)
    ('4 MB', '2 GB')
    """
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if limit >= size - 1:
            return f"{round(limit / size)} {unit}"
    return f"{limit} bytes"

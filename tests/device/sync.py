"""The service `sync`, by which `adb push`, `pull` and `ls` move files."""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path

from .sandbox import Sandbox
from .streams import Stream

_LENGTH = struct.Struct("<4sI")
_PIECE = 64 * 1024


def serve_sync(sandbox: Sandbox, stream: Stream) -> None:
    """Answer requests until the host quits."""
    while True:
        request, length = _LENGTH.unpack(stream.exactly(_LENGTH.size))
        if request == b"QUIT":
            return
        given = os.fsdecode(stream.exactly(length))
        if request == b"SEND":
            path, _, mode = given.rpartition(",")
            _take(sandbox, stream, sandbox.place(path), int(mode))
        else:
            _ANSWERS[request](stream, sandbox.place(given))


def _status(stream: Stream, path: Path) -> None:
    try:
        found = path.lstat()
    except OSError:
        stream.write(struct.pack("<4sIII", b"STAT", 0, 0, 0))
        return
    size = found.st_size & 0xFFFFFFFF
    stream.write(struct.pack("<4sIII", b"STAT", found.st_mode, size, int(found.st_mtime)))


def _status_v2(stream: Stream, path: Path, follow: bool) -> None:
    identity = b"STA2" if follow else b"LST2"
    try:
        found = path.stat() if follow else path.lstat()
    except OSError as error:
        stream.write(struct.pack("<4sI64x", identity, error.errno or errno.EIO))
        return
    times = int(found.st_atime), int(found.st_mtime), int(found.st_ctime)
    numbers = found.st_dev, found.st_ino, found.st_mode, found.st_nlink
    owners = found.st_uid, found.st_gid, found.st_size
    stream.write(struct.pack("<4sIQQIIIIQqqq", identity, 0, *numbers, *owners, *times))


def _list(stream: Stream, path: Path) -> None:
    for entry in sorted(path.iterdir()) if path.is_dir() else ():
        found, name = entry.lstat(), os.fsencode(entry.name)
        head = (b"DENT", found.st_mode, found.st_size, int(found.st_mtime), len(name))
        stream.write(struct.pack("<4sIIII", *head) + name)
    stream.write(struct.pack("<4sIIII", b"DONE", 0, 0, 0, 0))


def _give(stream: Stream, path: Path) -> None:
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                stream.write(_LENGTH.pack(b"DATA", len(piece)) + piece)
    except OSError as error:
        _fail(stream, f"open failed: {error.strerror}")
        return
    stream.write(_LENGTH.pack(b"DONE", 0))


def _take(sandbox: Sandbox, stream: Stream, path: Path, mode: int) -> None:
    problem = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while True:
            kind, length = _LENGTH.unpack(stream.exactly(_LENGTH.size))
            if kind == b"DONE":
                os.utime(file.fileno(), (length, length))
                break
            assert kind == b"DATA"
            data = stream.exactly(length)
            if len(data) > sandbox.space_left():
                problem = "write failed: No space left on device"
            if not problem:
                file.write(data)
                file.flush()
    if problem:
        path.unlink()
        _fail(stream, problem)
        return
    path.chmod(stat.S_IMODE(mode))
    stream.write(_LENGTH.pack(b"OKAY", 0))


def _fail(stream: Stream, reason: str) -> None:
    told = reason.encode()
    stream.write(_LENGTH.pack(b"FAIL", len(told)) + told)


_ANSWERS = {
    b"STAT": _status,
    b"STA2": lambda stream, path: _status_v2(stream, path, True),
    b"LST2": lambda stream, path: _status_v2(stream, path, False),
    b"LIST": _list,
    b"RECV": _give,
}

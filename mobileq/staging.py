"""Files and folders that go again: beside a target, renamed when whole, or in the temporary folder.

The name holds the machine and the process, so that what a killed process left behind can be told
from what a running one is writing. A name is noted before anything has it, and forgotten when
nothing has it any more: whatever an interruption cuts off, the process's end makes up for it.
"""

from __future__ import annotations

import atexit
import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mobileq.interruption import done_whole

_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROCESS = r"(\d+)-[0-9a-f]{8}(\.[^.]+)?"
_TRIES, _PAUSE_S = 10, 0.05
"""To remove a folder: a process that is just ending may still write into it."""
_noted: set[Path] = set()
"""Names of this process that something may have."""


def staging_path(target: Path, suffix: str = "") -> Path:
    """A hidden name beside `target` that no other process or thread uses; nothing is created.

    Whatever has it in the end, for the caller to `remove`.
    """
    return _note(target.with_name(_prefix(target) + _process() + suffix))


@done_whole
def remove(path: Path) -> None:
    """Remove a file or folder, if there is one; what can't be removed stays."""
    for attempt in range(_TRIES):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
        if not os.path.lexists(path):
            _noted.discard(path)
            return
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE_S)


def abandoned(target: Path) -> Iterator[Path]:
    """What processes of this machine that no longer run left beside `target`."""
    return _left_behind(target.parent, _prefix(target))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder in the system's temporary one ($TMPDIR); it goes with the block."""
    folder = new_temporary_folder()
    try:
        yield folder
    finally:
        remove(folder)


@done_whole
def temporary_place() -> Path:
    """The system's temporary folder ($TMPDIR). Python tries once whether a file can be written
    there, which an interruption would leave."""
    return Path(tempfile.gettempdir())


@done_whole
def new_temporary_folder() -> Path:
    """The same, for the caller to `remove`.

    What processes left in $TMPDIR that were killed goes when the first is made.
    """
    place = temporary_place()
    _clear_once(place)
    folder = _note(place / f"mobileq-{_machine()}-{_process()}")
    folder.mkdir(mode=0o700)
    return folder


@functools.cache
def _clear_once(place: Path) -> None:
    for left in _left_behind(place, f"mobileq-{_machine()}-"):
        shutil.rmtree(left, ignore_errors=True)  # another user's stays, in a shared folder


def _note(path: Path) -> Path:
    _noted.add(path)
    return path


@atexit.register
def _remove_noted() -> None:
    for path in tuple(_noted):
        if f"-{os.getpid()}-" in path.name:  # not of the process that this one was forked from
            remove(path)


def is_full_disk(error: OSError) -> bool:
    """Whether a write failed for lack of space or of quota."""
    return error.errno in _FULL_DISK


def runs(pid: int) -> bool:
    """Whether there is such a process on this machine; True where that can't be told."""
    if os.name == "nt":  # os.kill(pid, 0) sends a Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's process, or no pid at all: leave it alone
        return True
    return True


def _left_behind(folder: Path, prefix: str) -> Iterator[Path]:
    pattern = re.compile(re.escape(prefix) + _PROCESS)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        match = pattern.fullmatch(name)
        if match and not runs(int(match[1])):
            yield folder / name


def _prefix(target: Path) -> str:
    # A digest, since a name close to the file system's limit leaves no room for more characters.
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
    return f".mobileq-{digest}-{_machine()}-"


def _process() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@functools.cache
def _machine() -> str:
    """Where the process numbers are from: containers share a disk, and even a host's name."""
    node = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:32]
    try:
        return f"{node}-{os.stat('/proc/self/ns/pid').st_ino:x}"
    except OSError:  # not Linux
        return f"{node}-0"

"""The child's side of `mobileq.external.child`: makes the handler and answers until told to end."""

from __future__ import annotations

import ctypes
import importlib
import io
import os
import signal
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mobileq import errors
from mobileq.errors import MobileqError
from mobileq.external.framing import Arrays, Closed, Fields, read_message, write_message
from mobileq.external.inside import enter
from mobileq.external.network import deny_network
from mobileq.staging import is_full_disk

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PR_SET_PDEATHSIG = 1


class _Log(io.RawIOBase):
    """The log file behind a file descriptor. What a full disk does not take is lost: a tool that
    cannot print is to go on all the same."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor, for tools that write past Python."""
        return self._descriptor

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """All of it, or none."""
        with suppress(OSError):
            os.write(self._descriptor, data)
        return memoryview(data).nbytes


def main() -> None:
    """`python -m mobileq.external.child_main MODULE:CLASS (READ_FD WRITE_FD)...`.

    Each pair of descriptors is a line on which requests come one after the other; the process ends
    with the first.
    """
    handler_name, *ends = sys.argv[1:]
    _die_with_parent()
    deny_network()
    enter()
    for name in ("stdout", "stderr"):
        log = io.BufferedWriter(_Log(getattr(sys, name).fileno()))
        setattr(sys, name, io.TextIOWrapper(log, "utf-8", "backslashreplace", line_buffering=True))
    handler = _Handler(handler_name)
    pairs = list(zip(map(int, ends[::2]), map(int, ends[1::2]), strict=True))
    for pair in pairs[1:]:
        threading.Thread(target=_serve, args=(handler, *pair), daemon=True).start()
    # While the parent goes on. What fails here fails again at the first request, which is told.
    with suppress(Exception, SystemExit):
        handler.make()
    _serve(handler, *pairs[0])
    _leave(0)


class _Handler:
    """Made before the first request, or for it."""

    def __init__(self, name: str) -> None:
        self._module, _, self._class = name.partition(":")
        self._lock, self._made = threading.Lock(), None

    def make(self) -> Any:
        """The object, once."""
        with self._lock:
            if self._made is None:
                self._made = getattr(importlib.import_module(self._module), self._class)()
            return self._made

    def answer(self, request: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """What its method gives, or the error."""
        try:
            found: tuple[Fields, Arrays]
            found = getattr(self.make(), request["command"])(request["fields"], arrays)
            return found
        except Exception as error:
            traceback.print_exc()
            return {"error": _described(error)}, {}
        except SystemExit as error:  # onnx2tf 2.6.9 ends the process on a model it can't convert
            traceback.print_exc()
            _leave(error.code if isinstance(error.code, int) else 1)


def _serve(handler: _Handler, read_fd: int, write_fd: int) -> None:
    """Answer until told to end. What can't be answered ends the process, at once: Python's own way
    out takes seconds on a busy machine, and the parent waits for a part of one."""
    try:
        _answer_each(handler, read_fd, write_fd)
    except BaseException:
        traceback.print_exc()
        _leave(1)


def _answer_each(handler: _Handler, read_fd: int, write_fd: int) -> None:
    reader, writer = os.fdopen(read_fd, "rb"), os.fdopen(write_fd, "wb")
    while True:
        try:
            request, arrays = read_message(reader)
        except Closed:
            return
        answer, results = handler.answer(request, arrays)
        del arrays  # or they would be kept until the next request
        write_message(writer, answer, results)
        del results


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    # Native libraries crash in their exit handlers (XNNPACK threads, two protobufs): skip them.
    os._exit(code)


def _described(error: Exception) -> Fields:
    if isinstance(error, MobileqError):
        kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
        return {"type": kind.__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, MemoryError):
        return {
            "type": "StoppedToolError",
            "message": "There is not enough memory.",
            "hint": "Close other programs and try again.",
        }
    if isinstance(error, OSError) and is_full_disk(error):
        # The folder's own folder: the one that is named here goes with this process.
        return {
            "type": "MobileqError",
            "message": f"The disk of the temporary folder {Path(tempfile.gettempdir()).parent} "
            "is full.",
            "hint": "Free some space, or name another folder in TMPDIR.",
        }
    lines = str(error).strip().splitlines() or [""]
    return {"type": "", "message": f"{type(error).__name__}: {lines[0]}"[:500], "hint": ""}


def _die_with_parent() -> None:
    """A killed parent must leave no converter running (Linux only; elsewhere nothing happens)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()

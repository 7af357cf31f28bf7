"""The pipes to a child process, and how long their other end is waited for."""

from __future__ import annotations

import fcntl
import io
import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from mobileq.errors import UsageError
from mobileq.progress import tell

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

LIMIT_VARIABLE = "MOBILEQ_TOOL_LIMIT_S"
DEFAULT_LIMIT_S = 7200
"""Two hours, for one answer of a tool: TensorFlow takes half of one for large models."""
_NOTICE_S = 300
_PIPE_BYTES = 1 << 20
"""A tensor goes through in a few pieces, each of which wakes the other side."""
_FIRST_FREE = 3
"""File descriptors below are stdin, stdout and stderr."""


class Overdue(Exception):
    """The limit is over; the text says how long it was.

    Not an OSError, which `io` handles and the caller takes for a dead child.
    """

    hint = f"Allow more with {LIMIT_VARIABLE} (in seconds)."


class Waiting(Protocol):
    """Decides how long the other end of a pipe is waited for."""

    def wait(self, descriptor: int, event: int) -> None:
        """Until the pipe can be read from (`select.POLLIN`) or written to (`select.POLLOUT`)."""
        ...


class Patience:
    """How long an answer may take: a notice after a while, `Overdue` at the limit.

    Args:
        work: What is waited for, for the notice: "onnx2tf is converting x.onnx".

    Raises:
        UsageError: $MOBILEQ_TOOL_LIMIT_S is not a number of seconds.
    """

    def __init__(self, work: str) -> None:
        self.work = work
        self._limit_s = _limit_s()
        self.begin()

    def begin(self) -> None:
        """A request starts now."""
        self._start = time.monotonic()
        self._is_told = False

    def wait(self, descriptor: int, event: int) -> None:
        """See `Waiting`; raises `Overdue`."""
        poll = select.poll()
        poll.register(descriptor, event)
        while True:
            passed = time.monotonic() - self._start
            notice_s = min(_NOTICE_S, self._limit_s / 2)
            until = self._limit_s if self._is_told else notice_s
            # Rounded up, or it would turn in a circle for the last part of a millisecond.
            if poll.poll(max(0, int((until - passed) * 1000) + 1)):
                return
            if self._is_told:
                raise Overdue(_duration(self._limit_s))
            self._is_told = True
            tell(
                f"{self.work} for {_duration(notice_s)} now; after {_duration(self._limit_s)} it "
                f"is ended ({LIMIT_VARIABLE} changes that)."
            )


class Line:
    """A pipe to a child and one back, for one request at a time.

    `far_ends` are the child's descriptors, to read from and to write to, until `begin` closes them
    on this side.

    Args:
        work: See `Patience`.
    """

    def __init__(self, work: str) -> None:
        self.patience = Patience(work)
        to_child, our_writer = new_pipe()
        our_reader, from_child = new_pipe()
        self.far_ends = to_child, from_child
        self.writer = patient_writer(our_writer, self.patience)
        self.reader = patient_reader(our_reader, self.patience)

    def begin(self) -> None:
        """The child has its ends."""
        for end in self.far_ends:
            os.close(end)


def new_pipe() -> tuple[int, int]:
    """Read end and write end, neither of them 0, 1 or 2: where those are closed, `os.pipe` takes
    them, and a child's stdin, stdout or stderr would take their place."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for end in ends)
    for end in ends:
        os.close(end)
    with suppress(
        OSError, AttributeError
    ):  # Linux; where a user's pipes are too large already, not
        fcntl.fcntl(moved[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return moved[0], moved[1]


def patient_reader(descriptor: int, patience: Waiting) -> io.BufferedReader:
    """A stream of what a child sends."""
    return io.BufferedReader(_Reader(descriptor, patience))


def patient_writer(descriptor: int, patience: Waiting) -> io.RawIOBase:
    """A stream to a child. Without a buffer: there is nothing to be flushed when it is closed, for
    which a child that is stuck would be waited for."""
    os.set_blocking(descriptor, False)  # poll tells that there is room, not how much
    return _Writer(descriptor, patience)


class _End(io.RawIOBase):
    def __init__(self, descriptor: int, patience: Waiting) -> None:
        self._descriptor, self._patience = descriptor, patience

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


class _Reader(_End):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._patience.wait(self._descriptor, select.POLLIN)
        return os.readv(self._descriptor, [buffer])


class _Writer(_End):
    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        left = memoryview(data).cast("B") if size else memoryview(b"")
        while left:
            self._patience.wait(self._descriptor, select.POLLOUT)
            left = left[os.write(self._descriptor, left) :]
        return size


def _limit_s() -> float:
    chosen = os.environ.get(LIMIT_VARIABLE)
    if not chosen:
        return DEFAULT_LIMIT_S
    if not (chosen.isascii() and chosen.isdigit() and 0 < int(chosen[:10]) < 10**9):
        raise UsageError(
            f"{LIMIT_VARIABLE} is {chosen!r}, which is not a number of seconds.",
            f"Set it to a whole number above 0, for example {LIMIT_VARIABLE}={DEFAULT_LIMIT_S}.",
        )
    return int(chosen)


def _duration(seconds: float) -> str:
    """In words, rounded.

    >>> _duration(7200), _duration(300), _duration(2)
    ('2 hours', '5 minutes', '2 seconds')
    """
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}s"
    return f"{seconds:.3g} seconds"

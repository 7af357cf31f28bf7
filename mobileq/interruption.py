"""What Ctrl-C does not cut off, and what it ends that others wait for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import CodeType, FrameType

_whole: set[CodeType] = set()
_stopped: weakref.WeakSet[Stoppable] = weakref.WeakSet()


class Stoppable(Protocol):
    """Work outside of this process that threads may wait for."""

    def kill(self) -> None:
        """End it at once, whatever state it is in."""
        ...


def stopped_by_interruption(work: Stoppable) -> None:
    """It is killed by `interrupt`, as long as it lives."""
    _stopped.add(work)


def interrupt() -> None:
    """Ctrl-C came: threads that wait for other processes are not to be waited for."""
    for work in tuple(_stopped):
        work.kill()


def done_whole[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Ctrl-C waits until the function is over, which takes a moment and must not be half done."""
    _whole.add(function.__code__)
    return function


def is_done_whole(frame: FrameType | None) -> bool:
    """Whether one of these functions is under way."""
    while frame is not None:
        if frame.f_code in _whole:
            return True
        frame = frame.f_back
    return False

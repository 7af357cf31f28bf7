"""Functions that Ctrl-C, as the command line obeys it, does not cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, FrameType

_whole: set[CodeType] = set()


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

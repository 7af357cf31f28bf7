"""Waits for a phone to cool down between runs, so that the first is not the fastest for that."""

from __future__ import annotations

import time
from typing import Protocol

from mobileq.phone_condition import Condition
from mobileq.progress import Progress

COOL_DOWN_S = 120.0
"""How long is waited for before one run."""
_LOOK_S = 5.0
_WARMER_CELSIUS = 3.0
"""Above what it was at first: a phone that was just unlocked never becomes as cold as it lay."""


class Warming(Protocol):
    """A phone that files run on."""

    @property
    def name(self) -> str:
        """In sentences."""

    def condition(self) -> Condition:
        """How it is now."""


class Cooling:
    """How a phone was at first, and waiting for it to be so again.

    Args:
        limit_s: Of each wait; 0: no waiting.
    """

    def __init__(self, phone: Warming, limit_s: float, progress: Progress) -> None:
        self._phone, self._limit_s, self._progress = phone, limit_s, progress
        self._first: Condition | None = None

    def wait(self) -> Condition:
        """Until it is cool, or the limit; how it is then."""
        now, until = self._phone.condition(), time.monotonic() + self._limit_s
        self._first = self._first or now
        if self._is_warm(now) and self._limit_s:
            self._progress.notice(f"{self._phone.name} is warm ({now}); it may cool down ...")
        while self._is_warm(now) and (left := until - time.monotonic()) > 0:
            time.sleep(min(_LOOK_S, left))
            now = self._phone.condition()
        return now

    def _is_warm(self, now: Condition) -> bool:
        first = self._first.celsius if self._first else None
        if now.is_hot or first is None or now.celsius is None:
            return now.is_hot
        return now.celsius > first + _WARMER_CELSIUS

"""How much memory a child may take to run a model that nobody knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mobileq.errors import InputError

_BASE: Final = 3 * 1024**3
"""Bytes that any model may take, for its activations above all, and"""
_FACTOR: Final = 12
"""so many times its size beyond."""
_LACKS: Final = ("bad_alloc", "bad allocation", "allocate memory")
"""What ONNX Runtime 1.26 makes of std::bad_alloc, and of its own arena's failure."""


def share_of(model_bytes: int) -> int:
    """Bytes that one run of a model of this size may take."""
    return _BASE + _FACTOR * model_bytes


def limit_data(most: int) -> None:
    """Let allocations fail beyond so many bytes.

    Heap and private mappings are bounded (RLIMIT_DATA, Linux), not the address space, of which
    thread pools set aside far more than they use.
    """
    limit("DATA", most)


def limit(what: str, most: int) -> None:
    """Lower the soft limit RLIMIT_`what`, or raise it to no more than the hard one."""
    import resource

    number = getattr(resource, f"RLIMIT_{what}")
    _, hard = resource.getrlimit(number)
    resource.setrlimit(number, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def is_lack(text: str) -> bool:
    """Whether an error says that an allocation failed."""
    return any(sign in text for sign in _LACKS)


def too_much(what: str, most: int) -> InputError:
    """That the model `what` takes more than so many bytes."""
    return InputError(
        f"{what} takes more than {most / 1e9:.1f} GB to run once.",
        "Give it a smaller input with --input-shape, or export a smaller variant.",
    )


class RunLimit:
    """Bounds what runs take beyond what the process has before the first of them; runs side by
    side have a share each."""

    def __init__(self) -> None:
        self._lock, self._running = threading.Lock(), 0
        self._before = 0

    @contextmanager
    def of(self, share: int) -> Iterator[None]:
        """Around one run that may take so many bytes."""
        with self._lock:
            if not self._running:
                self._before = _data_bytes()
            self._running += 1
            limit_data(self._before + self._running * share)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1


def _data_bytes() -> int:
    """What counts towards RLIMIT_DATA now; 0 where that is not told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (OSError, IndexError, ValueError):  # not Linux
        return 0
    import resource

    return pages * resource.getpagesize()

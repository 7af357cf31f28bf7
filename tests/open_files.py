"""What this process has open."""

from __future__ import annotations

import os
from contextlib import suppress


def open_files() -> set[tuple[str, str]]:
    """Numbers, and what they are: a pipe has a number of its own that no other gets.

    To be compared with `<=`: what tests before this one left to be collected may be closed at any
    time.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found

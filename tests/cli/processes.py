"""Which processes there are, by Linux's /proc."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 120.0
"""What takes a second where nothing else runs may take a minute beside other work."""


def children(parent: int) -> set[int]:
    """Processes below `parent`."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):  # it has just ended
                stat = Path("/proc", name, "stat").read_text()
                below.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    found, to_ask = set[int](), [parent]
    while to_ask:
        each = below.get(to_ask.pop(), [])
        found.update(each)
        to_ask += each
    return found


def wait_until_busy(parent: int, seconds: float) -> set[int]:
    """The processes below `parent`, once one of them has computed for so long since the call."""
    limit, before = time.monotonic() + PATIENCE_S, dict[int, float]()
    while True:
        below = children(parent)
        for pid in below:
            if _processor_seconds(pid) - before.setdefault(pid, _processor_seconds(pid)) >= seconds:
                return below
        assert time.monotonic() < limit, "nothing is computed"
        time.sleep(0.02)


def wait_until_gone(pids: set[int]) -> None:
    """What was killed may be there for a moment."""
    limit = time.monotonic() + PATIENCE_S
    while alive := {pid for pid in pids if runs(pid)}:
        assert time.monotonic() < limit, alive
        time.sleep(0.02)


def _processor_seconds(pid: int) -> float:
    """Of all its threads; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def command_of(pid: int) -> str:
    """Its command line; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

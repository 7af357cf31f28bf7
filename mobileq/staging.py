"""Folders that are written under a temporary name beside their target and renamed when whole.

The name holds the machine and the process, so that what a killed process left behind can be told
from what a running one is writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})


def staging_path(target: Path) -> Path:
    """A hidden name beside `target` that no other process or thread uses; nothing is created."""
    name = f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(name)


def abandoned(target: Path) -> Iterator[Path]:
    """What processes of this machine that no longer run left beside `target`."""
    pattern = re.compile(re.escape(_prefix(target)) + r"(\d+)-[0-9a-f]{8}(\.old)?")
    try:
        names = sorted(os.listdir(target.parent))
    except OSError:
        return
    for name in names:
        match = pattern.fullmatch(name)
        if match and not _runs(int(match[1])):
            yield target.with_name(name)


def is_full_disk(error: OSError) -> bool:
    """Whether a write failed for lack of space or of quota."""
    return error.errno in _FULL_DISK


def _prefix(target: Path) -> str:
    # A digest, since a name close to the file system's limit leaves no room for more characters.
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
    machine = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:32]
    return f".mobileq-{digest}-{machine}-"


def _runs(pid: int) -> bool:
    if os.name == "nt":  # os.kill(pid, 0) sends a Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's process, or no pid at all: leave it alone
        return True
    return True

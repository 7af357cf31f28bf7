"""The log file of this run: where the tools underneath say what a person need not read."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from mobileq.staging import runs, temporary_place

KEPT_LOGS = 20
"""Older files are deleted, so that a year of use does not fill a disk."""
_is_stderr_ours = False
_OUR_NAME = re.compile(r"\d{8}-\d{6}-\d+\.log")


@cache
def log_path() -> Path:
    """The file of this process, made on first use. `MOBILEQ_LOG_DIR` names another folder.

    Falls back to the temporary folder where the user's log folder cannot be written.
    """
    import platformdirs

    stamp = time.strftime("%Y%m%d-%H%M%S")
    wanted = os.environ.get("MOBILEQ_LOG_DIR") or platformdirs.user_log_dir("mobileq")
    for folder in (Path(wanted), temporary_place() / f"mobileq-logs-{os.getuid()}"):
        path = folder / f"{stamp}-{os.getpid()}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue
        _drop_old_logs(folder)
        return path
    return Path(os.devnull)


def _drop_old_logs(folder: Path) -> None:
    # Nothing but our own: MOBILEQ_LOG_DIR may be a folder that others write to as well.
    ours = sorted(path for path in folder.iterdir() if _OUR_NAME.fullmatch(path.name))
    for old in ours[:-KEPT_LOGS]:
        if runs(int(old.stem.rpartition("-")[2])):  # a long command, whose log is to be read yet
            continue
        with suppress(OSError):  # another user's, in a shared folder; or already gone
            old.unlink()


def take_native_output() -> None:
    """From here on what C code prints to stderr lands in the log, if `own_stderr` was called.

    libpng, libjpeg, FFmpeg and the C library's allocator write past Python, amid progress bars.
    """
    if _is_stderr_ours:
        with suppress(OSError):
            log = os.open(log_path(), os.O_WRONLY | os.O_APPEND)
            os.dup2(log, 2)
            os.close(log)


def own_stderr() -> None:
    """Give Python's stderr a file descriptor of its own, beside that which C code writes to."""
    global _is_stderr_ours
    encoding = getattr(sys.stderr, "encoding", None)
    with suppress(OSError):
        own = os.fdopen(os.dup(2), "w", 1, encoding, "backslashreplace")
        sys.stderr = sys.__stderr__ = own  # type: ignore[misc]
        _is_stderr_ours = True


@cache
def logger() -> logging.Logger:
    """The logger that writes to `log_path()` and nowhere else."""
    logging.raiseExceptions = False  # a log that cannot be written is no news for the screen
    log = logging.getLogger("mobileq")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handler = logging.FileHandler(log_path(), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log

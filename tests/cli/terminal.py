"""Runs `mobileq` on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .commands import command_line

_LIMIT_S = 200


@dataclass
class OnTerminal:
    """A command that runs, and what it has shown so far."""

    process: subprocess.Popen[bytes]
    terminal: int
    shown: str = ""

    @property
    def text(self) -> str:
        """What was shown, without colours and movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown)

    def read(self) -> bool:
        """Wait for more; False at the end."""
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)

    def until(self, *texts: str) -> None:
        """Read until one of the texts is shown."""
        while not any(text in self.shown for text in texts):
            assert self.read(), f"none of {texts} was ever shown:\n{self.text}"

    def interrupt(self) -> None:
        """What Ctrl-C does: the signal goes to all of the terminal's processes."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Read to the end; the exit code."""
        limit = time.monotonic() + _LIMIT_S
        while self.read():
            assert time.monotonic() < limit
        os.close(self.terminal)
        return self.process.wait(_LIMIT_S)


def start_on_a_terminal(
    arguments: Sequence[str], width: int = 120, **environment: str
) -> OnTerminal:
    """Start a command whose stdin, stdout and stderr are a terminal of `width` columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        command_line(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    return OnTerminal(process, ours)


def on_a_terminal(
    arguments: Sequence[str], width: int = 120, **environment: str
) -> tuple[int, str]:
    """Run a command to its end: exit code, and all that it showed."""
    command = start_on_a_terminal(arguments, width, **environment)
    return command.end(), command.shown

"""One phone: commands of its shell, with or without a stream of bytes into them."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from mobileq.device.adb import Adb, Answer, DisconnectedError

quoted = shlex.quote
"""A text as one word of the phone's shell, whatever it holds."""
_END = b"mobileq-exit "


@dataclass(frozen=True)
class Phone:
    """A phone that is ready; `adb` has its serial."""

    adb: Adb

    @property
    def serial(self) -> str:
        """What adb calls it."""
        assert self.adb.serial is not None
        return self.adb.serial

    def shell(self, script: str, limit_s: float | None = None) -> Answer:
        """Run a script of the phone's shell to its end; its code, stdout and stderr.

        Raises:
            OverdueError: It takes too long.
            DisconnectedError: The phone went away.
            DeviceError: adb itself failed.
        """
        return self._ended(self.adb.run("shell", "-n", _with_end(script), limit_s=limit_s))

    def feed(
        self,
        script: str,
        pieces: Iterable[bytes],
        fed: Callable[[int], None],
        limit_s: float | None = None,
    ) -> Answer:
        """The same, for a script that says little, with `pieces` as its stdin.

        Args:
            fed: Told how many bytes the connection took, again and again.
            limit_s: How long the phone may take no bytes, and answer at the end.

        Raises:
            As `shell`.
        """
        limit_s = self.adb.limit_s if limit_s is None else limit_s
        with self.start(_with_end(script)) as process:
            try:
                self._pour(process, pieces, fed, limit_s)
                out, err = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired as error:
                raise self.adb.overdue("shell", limit_s) from error
            finally:
                process.kill()
        return self._ended(Answer(process.returncode, out, err))

    def _pour(
        self,
        process: subprocess.Popen[bytes],
        pieces: Iterable[bytes],
        fed: Callable[[int], None],
        limit_s: float,
    ) -> None:
        """All of it, or up to where nobody reads any more: adb then says why."""
        assert process.stdin is not None
        pipe = process.stdin.fileno()
        os.set_blocking(pipe, False)
        with suppress(BrokenPipeError):
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    if not select.select([], [pipe], [], limit_s)[1]:
                        raise self.adb.overdue("shell", limit_s)
                    with suppress(BlockingIOError):
                        count = os.write(pipe, rest)
                        fed(count)
                        rest = rest[count:]

    def start(self, script: str) -> subprocess.Popen[bytes]:
        """Start a script, with pipes to its stdin, stdout and stderr; for the caller to end.

        adb ends with the script's exit code, and with 0 where the connection broke.
        """
        try:
            return subprocess.Popen(
                self.adb.command("shell", "-T", script),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            raise self.adb.unusable(error) from error

    def is_back(self, limit_s: float) -> bool:
        """Wait for a phone that went away. One on the network is asked to come."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if self.adb.run("get-state").text.strip() == "device":
                return True
            if ":" in self.serial:
                Adb(self.adb.path).run("connect", self.serial)
            time.sleep(min(0.5, limit_s / 10))
        return False

    def _ended(self, answer: Answer) -> Answer:
        """What a script gave, of what adb did."""
        out, mark, code = answer.out.rpartition(_END)
        if mark and code.strip().isdigit():
            return Answer(int(code), out, answer.err)
        if answer.code != 0 or answer.err.strip():
            raise self.adb.failure(answer)
        # Where the cable is pulled out, adb 29 says nothing and ends with 0.
        raise DisconnectedError(
            f"The connection to the device {self.serial} broke.", "Plug it in again, and repeat."
        )


def _with_end(script: str) -> str:
    """A script that says at its end that it has come to it."""
    return f"( {script}\n)\necho {_END.decode()}$?"

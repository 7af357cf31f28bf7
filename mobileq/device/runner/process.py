"""A runner's process, whatever starts it: `adb shell`, or a Java on this machine."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mobileq.device.runner.packets import Lost, PacketReader, packet
from mobileq.external.framing import Arrays, Closed, Fields, read_message, write_message
from mobileq.external.pipes import new_pipe, patient_reader, patient_writer
from mobileq.interruption import done_whole
from mobileq.logfile import log_path
from mobileq.staging import new_temporary_folder, remove

if TYPE_CHECKING:
    from numpy.typing import NDArray

_END_S = 2.0
"""An orderly end of a Java takes half a second."""
_MOST_PRINTED_BYTES = 100_000


class Refused(Exception):
    """The runner lives and says why it can't do what it was asked for.

    Attributes:
        kind: "bundle", "backend", "request", "memory" or "internal": see `Server.java`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Late(Exception):
    """Not an OSError, which `io` handles."""


class _Deadline:
    """See `mobileq.external.pipes.Waiting`."""

    def __init__(self) -> None:
        self._limit_s = 0.0
        self._until = 0.0

    def begin(self, limit_s: float) -> None:
        self._limit_s, self._until = limit_s, time.monotonic() + limit_s

    def wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0, int((self._until - time.monotonic()) * 1000) + 1)):
            raise _Late(f"it gave no answer within {self._limit_s:g} seconds")


class RunnerProcess:
    """A process that answers requests on its stdin by its stdout.

    Args:
        command: What starts it.

    Raises:
        Lost: There is no such program.
    """

    @done_whole
    def __init__(self, command: Sequence[str]) -> None:
        self._deadline = _Deadline()
        self._id = 0
        self._heard = 0
        """Of what it printed, bytes that were there with its latest answer."""
        self._folder = new_temporary_folder()
        self._stderr = self._folder / "stderr"
        to_runner, our_writer = new_pipe()
        our_reader, from_runner = new_pipe()
        try:
            with self._stderr.open("wb") as stderr:
                self._process = subprocess.Popen(
                    command,
                    stdin=to_runner,
                    stdout=from_runner,
                    stderr=stderr,
                    start_new_session=True,  # Ctrl-C is for us, who then end it
                )
        except OSError as error:
            os.close(our_writer)
            os.close(our_reader)
            remove(self._folder)
            raise Lost(f"{command[0]} does not start: {error.strerror}") from error
        finally:
            os.close(to_runner)
            os.close(from_runner)
        self._writer = patient_writer(our_writer, self._deadline)
        self._stream = patient_reader(our_reader, self._deadline)
        self._reader = PacketReader(self._stream)

    def request(
        self,
        command: str,
        fields: Fields | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        limit_s: float,
    ) -> tuple[Fields, Arrays]:
        """Ask, and wait for the answer.

        Raises:
            Refused: The runner can't do it.
            Lost: It is gone, hangs, or answers something else; it is of no more use.
        """
        self._id += 1
        message = io.BytesIO()
        write_message(message, {**(fields or {}), "command": command, "id": self._id}, arrays)
        self._deadline.begin(limit_s)
        try:
            with message.getbuffer() as payload:
                self._writer.write(packet(payload))
                self._writer.write(payload)
            answer, results = read_message(io.BytesIO(self._reader.read()))
        except _Late as error:
            raise self._lost(str(error)) from error
        except Lost as error:
            raise self._lost(str(error)) from error
        except Closed as error:
            raise self._lost(f"its answer can't be read ({error})") from error
        except (OSError, ValueError) as error:  # gone, or closed by us
            raise self._lost("it ended") from error
        if answer.pop("id", None) != self._id:
            raise self._lost("its answer is to another question")
        self._heard = self._stderr.stat().st_size
        self._reader.stray = b""
        if "error" in answer:
            raise _refused(answer["error"])
        return answer, results

    def _lost(self, reason: str) -> Lost:
        said = self._printed(self._heard).strip().splitlines()
        return Lost(f"{reason}: {said[-1][:300]}" if said else reason)

    def said(self) -> str:
        """What it printed: to stderr, and by mistake between its answers."""
        return self._printed(0)

    def _printed(self, start: int) -> str:
        with suppress(OSError):
            printed = self._stderr.read_bytes()[start:][-_MOST_PRINTED_BYTES:]
            return (self._reader.stray + b"\n" + printed).decode("utf-8", "replace")
        return ""

    @done_whole
    def close(self) -> None:
        """End it: by the end of its stdin, and where it stays, by a signal. Safe to call twice."""
        for stream in (self._writer, self._stream):
            with suppress(OSError):
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_S)
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        with suppress(OSError), log_path().open("ab") as log:
            log.write(self.said().encode())
        remove(self._folder)


def _refused(error: object) -> Refused:
    if isinstance(error, dict):
        return Refused(str(error.get("kind")), str(error.get("message")))
    return Refused("internal", str(error))

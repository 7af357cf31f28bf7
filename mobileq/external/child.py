"""Run a handler class in a child process, so that a crash of a native tool is only an error.

The parent holds a `Child`; in the child (`mobileq.external.child_main`) an instance of the handler
lives, whose methods take (fields, arrays) and return the same:

    with Child("mobileq.targets.mnn.worker:MnnWorker", stage="reading x.mnn", tool="MNN") as child:
        fields, arrays = child.request("outline", {"path": "x.mnn"})
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mobileq import errors
from mobileq.external.framing import Arrays, Closed, Fields, read_message, write_message
from mobileq.logfile import log_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its results change with the CPU's instruction sets
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONIOENCODING": "utf-8",
}


class Child:
    """A child process with one handler object.

    Args:
        handler: `module:Class`; made without arguments in the child, on the first request.
        stage: What is being done, for messages: "converting yolov5n.onnx".
        tool: The tool that does it, for messages: "onnx2tf".
        advice: What to try when the tool crashes.
        temporary: Where it keeps its temporary files; some tools leave theirs behind.

    Linux ends the child with the thread that made it: make it in one that lives as long.
    """

    def __init__(
        self,
        handler: str,
        *,
        stage: str,
        tool: str,
        advice: str = "",
        temporary: Path | None = None,
    ) -> None:
        self._stage, self._tool, self._advice = stage, tool, advice
        place = {"TMPDIR": str(temporary)} if temporary else {}
        to_child, our_writer = os.pipe()
        our_reader, from_child = os.pipe()
        with log_path().open("ab") as log:
            self._process = subprocess.Popen(
                # -P: a folder named like one of our packages in the current folder is not ours.
                [
                    *(sys.executable, "-P", "-m", "mobileq.external.child_main"),
                    *(handler, str(to_child), str(from_child)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(to_child, from_child),
                env={**os.environ, **_QUIET, **place},
                # Ctrl-C is for the parent, which then ends the child: no second traceback.
                start_new_session=True,
            )
        os.close(to_child)
        os.close(from_child)
        self._writer = os.fdopen(our_writer, "wb")
        self._reader = os.fdopen(our_reader, "rb")

    def request(
        self,
        command: str,
        fields: Fields | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> tuple[Fields, Arrays]:
        """Call the handler's method `command` and wait for its answer.

        Raises:
            MobileqError: What the handler raised as such.
            ToolError: The tool raised, aborted or was killed; its output is in the log file.
        """
        if self._writer.closed:
            raise self._crashed()
        try:
            write_message(self._writer, {"command": command, "fields": fields or {}}, arrays)
            answer, results = read_message(self._reader)
        except (Closed, OSError) as error:
            raise self._crashed() from error
        if "error" in answer:
            raise self._failed(answer["error"])
        return answer, results

    def _failed(self, error: dict[str, str]) -> errors.MobileqError:
        kind = getattr(errors, error["type"], None)
        if isinstance(kind, type) and issubclass(kind, errors.MobileqError):
            return kind(error["message"], error["hint"])
        return errors.ToolError(
            f"{self._tool} failed while {self._stage}: {error['message']}",
            f"{self._advice} Its output is in {log_path()}.".strip(),
        )

    def _crashed(self) -> errors.ToolError:
        # It may live on, having sent something damaged.
        self.close()
        code = self._process.returncode
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"crashed ({_signal_name(-code)})"
        return errors.ToolError(
            f"{self._tool} {how} while {self._stage}.",
            f"{self._advice} Its output is in {log_path()}.".strip(),
        )

    def _close_pipes(self) -> None:
        for stream in (self._writer, self._reader):
            with suppress(OSError):  # flushing into a pipe whose other end is gone
                stream.close()

    def close(self) -> None:
        """End the child. Safe to call twice."""
        self._close_pipes()
        if self._process.poll() is None:
            try:
                # An orderly end takes milliseconds; a tool that hangs gets no more than this.
                self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._kill()  # Ctrl-C does not wait for a conversion to end
        self.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def call(
    handler: str, command: str, fields: Fields, *, stage: str, tool: str, advice: str = ""
) -> Fields:
    """One request to a child of its own. Arguments and errors as `Child`'s.

    A tool that crashes leaves no temporary files.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mobileq-", ignore_cleanup_errors=True) as folder,
        Child(handler, stage=stage, tool=tool, advice=advice, temporary=Path(folder)) as child,
    ):
        return child.request(command, fields)[0]

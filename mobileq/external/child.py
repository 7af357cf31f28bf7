"""Run a handler class in a child process, so that a crash of a native tool is only an error.

The parent holds a `Child`; in the child (`mobileq.external.child_main`) an instance of the handler
lives, whose methods take (fields, arrays) and return the same:

    with Child("mobileq.targets.mnn.worker:MnnWorker", stage="reading x.mnn", tool="MNN") as child:
        fields, arrays = child.request("outline", {"path": "x.mnn"})
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mobileq import errors
from mobileq.external.framing import Arrays, Closed, Fields, read_message, write_message
from mobileq.external.pipes import Line, Overdue
from mobileq.interruption import done_whole, stopped_by_interruption
from mobileq.logfile import log_path
from mobileq.staging import new_temporary_folder, remove

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its results change with the CPU's instruction sets
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONIOENCODING": "utf-8",
}
_HUGE_PAGES = "glibc.malloc.hugetlb=1"
"""glibc 2.35 and later: memory in pages of 2 MB, where Linux gives them to who asks ("madvise", as
most distributions have it). Tensors are megabytes: with pages of 4 kB the processor looks up where
each lies more than it computes, most of all in a virtual machine."""

_DISTURBED = {
    "MALLOC_PERTURB_": "165",  # glibc: no memory is zero before it is written
    "MallocPreScribble": "1",  # macOS
    "PYTHONMALLOC": "malloc",
    "MOBILEQ_PADDING": "x" * 5003,  # the stack begins elsewhere
}

_FROM_OUTSIDE = frozenset(
    {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
)


class Child:
    """A child process with one handler object.

    Args:
        handler: `module:Class`; made without arguments in the child, on the first request.
        stage: What is being done, for messages: "converting yolov5n.onnx".
        tool: The tool that does it, for messages: "onnx2tf".
        advice: What to try when the tool crashes.
        disturbed: Give it another environment and heap than its siblings. What depends on them
            gives other results there.
        lines: How many requests it can work on at the same time, each in a thread of its own.

    It has a temporary folder of its own, which goes with it: some tools leave theirs behind. Linux
    ends the child with the thread that made it: make it in one that lives as long.
    """

    @done_whole
    def __init__(
        self,
        handler: str,
        *,
        stage: str,
        tool: str,
        advice: str = "",
        disturbed: bool = False,
        lines: int = 1,
    ) -> None:
        self._stage, self._tool, self._advice = stage, tool, advice
        self._is_killed = False
        self.folder = new_temporary_folder()
        self._tidy: weakref.finalize[..., Any] = weakref.finalize(self, remove, self.folder)
        environment = {**os.environ, **_QUIET, "TMPDIR": str(self.folder)}
        tunables = [_HUGE_PAGES, os.environ.get("GLIBC_TUNABLES", "")]
        if disturbed:
            environment |= _DISTURBED
            tunables.append("glibc.malloc.tcache_count=0")  # memory comes in another order
        environment["GLIBC_TUNABLES"] = ":".join(filter(None, tunables))
        self._lines = tuple(Line(f"{tool} is {stage}") for _ in range(lines))
        ends = [end for line in self._lines for end in line.far_ends]
        with log_path().open("ab") as log:
            self._process = subprocess.Popen(
                # -P: a folder named like one of our packages in the current folder is not ours.
                [
                    *(sys.executable, "-P", "-m", "mobileq.external.child_main"),
                    *(handler, *map(str, ends)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=ends,
                env=environment,
                # Ctrl-C is for the parent, which then ends the child: no second traceback.
                start_new_session=True,
            )
        self._tidy.detach()
        self._tidy = weakref.finalize(self, _end, self._process, self.folder, os.getpid())
        for line in self._lines:
            line.begin()
        self._idle: queue.LifoQueue[Line] = queue.LifoQueue()
        for line in reversed(self._lines):
            self._idle.put(line)
        stopped_by_interruption(self)

    def request(
        self,
        command: str,
        fields: Fields | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> tuple[Fields, Arrays]:
        """Call the handler's method `command` and wait for its answer.

        From any thread; it waits for a line that is free.

        Raises:
            MobileqError: What the handler raised as such.
            ToolError: The tool raised or aborted; its output is in the log file.
            StoppedToolError: It was killed, or gave no answer within the limit.
        """
        line = self._idle.get()
        try:
            return self._answered(line, {"command": command, "fields": fields or {}}, arrays)
        finally:
            self._idle.put(line)

    def prompt(self, command: str, fields: Fields | None = None) -> None:
        """Have it get ready while who calls goes on. What fails here fails again where it is
        needed, and is told there."""

        def ask() -> None:
            with suppress(Exception):
                self.request(command, fields)

        threading.Thread(target=ask, name=command, daemon=True).start()

    def _answered(
        self, line: Line, message: Fields, arrays: Mapping[str, NDArray[Any]] | None
    ) -> tuple[Fields, Arrays]:
        if line.writer.closed:
            raise self._crashed()
        line.patience.begin()
        try:
            write_message(line.writer, message, arrays)
            answer, results = read_message(line.reader)
        except Overdue as error:
            self.kill()
            raise errors.StoppedToolError(
                f"{self._tool} gave no answer within {error} while {self._stage}, and was ended.",
                f"{error.hint} Its output is in {log_path()}.",
            ) from error
        except (Closed, OSError) as error:
            raise self._crashed() from error
        except TypeError:  # what cannot be sent, of which nothing was
            raise
        except BaseException:
            self.kill()  # Ctrl-C does not wait, and what comes now is no answer to the next request
            raise
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

    def _crashed(self) -> errors.MobileqError:
        # It may live on, having sent something damaged.
        self.close()
        code = self._process.returncode
        if -code in _FROM_OUTSIDE and not self._is_killed:
            lacks = code == -signal.SIGKILL
            perhaps = ", perhaps by the system for lack of memory" if lacks else ""
            return errors.StoppedToolError(
                f"{self._tool} was killed ({_signal_name(-code)}) while {self._stage}{perhaps}.",
                ("Close other programs, and run" if lacks else "Run")
                + f" the command again. Its output is in {log_path()}.",
            )
        how = f"ended with exit code {code}"
        if self._is_killed:
            how = "gave no answer that can be read"
        elif code < 0:
            how = f"crashed ({_signal_name(-code)})"
        return errors.ToolError(
            f"{self._tool} {how} while {self._stage}.",
            f"{self._advice} Its output is in {log_path()}.".strip(),
        )

    def turn_to(self, stage: str, tool: str) -> None:
        """What is being done from now on, and by what, for messages."""
        self._stage, self._tool = stage, tool
        for line in self._lines:
            line.patience.work = f"{tool} is {stage}"

    def _close_pipes(self) -> None:
        for stream in (stream for line in self._lines for stream in (line.writer, line.reader)):
            with suppress(OSError):  # flushing into a pipe whose other end is gone
                stream.close()

    @done_whole
    def close(self) -> None:
        """End the child. Safe to call twice."""
        self._close_pipes()
        if self._process.poll() is None:
            try:
                # An orderly end takes milliseconds; a tool that hangs gets no more than this.
                self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self.kill()
        self._tidy()

    @property
    def is_running(self) -> bool:
        """Whether it can be asked anything."""
        is_open = self._process.poll() is None and not self._lines[0].writer.closed
        return is_open and self.folder.is_dir()

    def kill(self) -> None:
        """End it at once, from any thread; who waits for an answer gets an error."""
        if self._process.poll() is None:
            self._is_killed = True
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
            self.kill()  # Ctrl-C does not wait for a conversion to end
        self.close()


done_whole(weakref.finalize.__call__)


@done_whole
def _end(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    """Of a child that nobody has closed, too: one that runs could still write into its folder.

    A process that was forked from the owner has a copy of all this, and may forget it; the child
    and its folder are still the owner's.
    """
    if os.getpid() != owner:
        return
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    remove(folder)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def call(
    handler: str, command: str, fields: Fields, *, stage: str, tool: str, advice: str = ""
) -> Fields:
    """One request to a child of its own. Arguments and errors as `Child`'s."""
    with Child(handler, stage=stage, tool=tool, advice=advice) as child:
        return child.request(command, fields)[0]

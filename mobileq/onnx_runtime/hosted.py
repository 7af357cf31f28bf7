"""Sessions in a child that is kept, so that opening another one costs no process.

There a model can do no harm: its loading, for which ONNX Runtime 1.26 holds Python's lock, and its
runs end with the child at Ctrl-C, take no more memory than `RunLimit` gives, and crash nothing.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import MobileqError
from mobileq.external.child import Child
from mobileq.external.framing import Arrays, Fields
from mobileq.onnx_runtime.session import SessionError, SessionOptions, as_file

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_LINES = 4
"""Runs side by side."""


class _Host:
    """The child, and the thread that made it, with which Linux would end it."""

    def __init__(self) -> None:
        self.dropped: deque[int] = deque()
        self._is_over = threading.Event()
        made: Future[Child] = Future()
        threading.Thread(target=self._make, args=(made,), name="onnxruntime", daemon=True).start()
        self.child = made.result()

    def _make(self, made: Future[Child]) -> None:
        try:
            made.set_result(
                Child(
                    "mobileq.onnx_runtime.handler:SessionHandler",
                    stage="running the model",
                    tool="ONNX Runtime",
                    advice="Export the model again, or with another opset.",
                    lines=_LINES,
                )
            )
        except BaseException as error:
            made.set_exception(error)
        self._is_over.wait()

    def request(
        self, command: str, fields: Fields, arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> tuple[Fields, Arrays]:
        answer, results = self.child.request(command, fields, arrays)
        if "refused" in answer:
            raise SessionError(answer["refused"], loading=command == "open")
        return answer, results

    def no_longer_used(self) -> list[int]:
        """Sessions to be dropped, each told once."""
        found = []
        with suppress(IndexError):
            while True:
                found.append(self.dropped.popleft())
        return found

    def close(self) -> None:
        self.child.close()
        self._is_over.set()


_lock = threading.Lock()
_host: _Host | None = None
_holds = 0


@contextmanager
def kept_child(*, at_once: bool = False) -> Iterator[None]:
    """One child for all sessions of the block, which ends with it; elsewhere with the process.

    Args:
        at_once: Who will need it in any case has it start while something else is done.
    """
    global _holds, _host
    with _lock:
        _holds += 1
    try:
        if at_once:
            _running_host()
        yield
    finally:
        with _lock:
            _holds -= 1
            over, _host = (None, _host) if _holds else (_host, None)
        if over is not None:
            over.close()


def _running_host() -> _Host:
    global _host
    with _lock:
        if _host is None or not _host.child.is_running:
            _host = _Host()
        return _host


class _Lodger:
    """Something that lives in the child under a number, until it is closed or forgotten.

    Args:
        command: The handler's method that takes it in.
    """

    def __init__(
        self,
        host: _Host,
        command: str,
        fields: Fields,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self._host = host
        asked = {**fields, "dropped": host.no_longer_used()}
        self._said, _ = host.request(command, asked, arrays)
        self.number: int = self._said["number"]
        self._drop = weakref.finalize(self, host.dropped.append, self.number)

    def close(self) -> None:
        """Let go of it; safe to call twice, and where the child is gone."""
        self._drop()
        with suppress(MobileqError):
            self._host.request("close", {"dropped": self._host.no_longer_used()})


class Held(_Lodger):
    """An array in the child, for any of its sessions to be fed with."""

    def __init__(self, array: NDArray[Any]) -> None:
        super().__init__(_running_host(), "hold", {}, {"held": array})


class Guest(_Lodger):
    """A handler that works where sessions are: results of its runs need not be sent.

    Args:
        handler: As `Child`'s; its sessions are `LocalSession`s.
        model: The file that it runs, or parts of it: what one run may take is told by its size.
    """

    def __init__(self, handler: str, model: Path) -> None:
        fields = {"handler": handler, "path": str(model.absolute())}
        super().__init__(_running_host(), "make", fields)

    def request(
        self,
        command: str,
        fields: Fields | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> tuple[Fields, Arrays]:
        """See `Child.request`."""
        asked = {"number": self.number, "command": command, "fields": fields or {}}
        return self._host.request("ask", asked, arrays)


class HostedSession(_Lodger):
    """What `open_session` gives. Raises as it does."""

    def __init__(self, model: ModelProto | bytes | Path, options: SessionOptions) -> None:
        host = _running_host()
        with as_file(model, host.child.folder) as path:
            fields = {"path": str(path), "options": msgspec.to_builtins(options)}
            super().__init__(host, "open", fields)
        self.output_names: tuple[str, ...] = tuple(self._said["outputs"])

    def run(
        self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any] | Held]
    ) -> list[Any]:
        """See `Session.run`."""
        held = {name: each.number for name, each in feeds.items() if isinstance(each, Held)}
        sent = {name: each for name, each in feeds.items() if not isinstance(each, Held)}
        wanted = None if names is None else list(names)
        fields = {"number": self.number, "names": wanted, "held": held}
        answer, results = self._host.request("run", fields, sent)
        return [results.get(str(at)) for at in range(answer["count"])]

    def latency(self, feeds: Mapping[str, NDArray[Any]], runs: int, warmup: int) -> list[float]:
        """See `Session.latency`."""
        fields = {"number": self.number, "runs": runs, "warmup": warmup}
        seconds: list[float] = self._host.request("latency", fields, feeds)[0]["seconds"]
        return seconds

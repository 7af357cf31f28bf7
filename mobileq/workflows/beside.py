"""Work that goes on beside a command's own thread, and is told of where that waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.parallel import threads_for
from mobileq.progress import Advance, Progress, Stage

if TYPE_CHECKING:
    from mobileq.calibration.samples import SampleSet

_SMALL = 2**24
"""Bytes of a model that may be looked at while it is converted: both take several times as much."""
_READ_ANYWHERE = ("image", "folder", "data_yaml")
"""Samples that several threads can read at a time."""
_LOOK_S = 0.1
"""How often one who waits looks how far it is."""


def leaves_room(onnx: Path, samples: SampleSet | None) -> bool:
    """Whether something may be done with model and samples while the model is converted."""
    is_read_anywhere = samples is None or samples.kind in _READ_ANYWHERE
    return is_read_anywhere and onnx.stat().st_size <= _SMALL


@contextmanager
def made_early[T](make: Callable[[], T], *, early: bool) -> Iterator[Callable[[], T]]:
    """What gives the thing when it is wanted: made beside the block if `early`, else then."""
    if not early:
        yield make
        return
    with threads_for(1) as pool:
        yield pool.submit(make).result


class _Unwanted(Exception):
    """Nobody waits for it any more."""


class Beside:
    """Work that is begun early, in a thread of its own, and who listens to it.

    As a `Progress` it is the listener's own, but for what the thread tells: that is kept until
    somebody waits, for a listener shows one thing at a time.
    """

    def __init__(self, listener: Progress) -> None:
        self._listener = listener
        self._thread: threading.Thread | None = None
        self._future: Future[None] | None = None
        self._is_unwanted = threading.Event()
        self._stages: list[Stage] = []
        self._notices: list[str] = []

    @contextmanager
    def begun(self, work: Callable[[], None]) -> Iterator[None]:
        """It goes on while the block does. Who leaves without having waited ends it at its next
        step, whatever has become of it."""

        def named() -> None:
            self._thread = threading.current_thread()
            work()

        self._is_unwanted.clear()
        with threads_for(1) as pool:
            self._future = pool.submit(named)
            try:
                yield
            finally:
                self._future = None
                self._is_unwanted.set()

    def wait(self) -> None:
        """Until it is done, if any is begun. Raises what it raised."""
        future = self._future
        if future is None:
            return
        while not future.done():
            stage = next(reversed(self._stages), None)
            if stage is None:
                wait([future], _LOOK_S)
                continue
            with self._listener.stage(stage.name, stage.total, stage.unit) as advance:
                self._follow(stage, future, advance)
        while self._notices:
            self._listener.notice(self._notices.pop(0))
        future.result()

    def _follow(self, stage: Stage, future: Future[None], advance: Advance) -> None:
        told = 0
        while not future.done() and stage in self._stages[-1:]:
            if (done := stage.done) != told:
                advance(done - told)
                told = done
            wait([future], _LOOK_S)

    def stage(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """See `Progress`."""
        if threading.current_thread() is self._thread:
            return self._kept(Stage(name, total, unit))
        return self._listener.stage(name, total, unit)

    @contextmanager
    def _kept(self, stage: Stage) -> Iterator[Advance]:
        def advance(count: int = 1, /) -> None:
            if self._is_unwanted.is_set():
                raise _Unwanted
            stage.done += count

        self._stages.append(stage)
        try:
            yield advance
        finally:
            self._stages.remove(stage)

    def notice(self, text: str) -> None:
        """See `Progress`."""
        if threading.current_thread() is self._thread:
            self._notices.append(text)
        else:
            self._listener.notice(text)

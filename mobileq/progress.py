"""How library code tells of long work without printing: the caller says who listens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


class Advance(Protocol):
    """Call it after a piece of work, or several; `count` is negative where some is lost."""

    def __call__(self, count: int = 1, /) -> None: ...


class Progress(Protocol):
    """Who listens. `mobileq.console` has the one for people."""

    def stage(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Work that takes a while, in `total` pieces where that is known; `unit` is what they are
        where a person thinks of them so: "bytes"."""
        ...

    def notice(self, text: str) -> None:
        """Something the person should know, in one sentence."""
        ...


@dataclass(eq=False)
class Stage:
    """How far a stage is, for who does not show it at once: as `Progress.stage` has it, and `done`
    of its `total`."""

    name: str
    total: int | None
    unit: str
    done: int = 0


class Silent:
    """Nobody listens; notices are kept for the caller."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def stage(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """No sign of the stage."""
        return nullcontext(lambda count=1, /: None)

    def notice(self, text: str) -> None:
        """Keep the notice."""
        self.notices.append(text)


_listener: Progress | None = None


def listen(progress: Progress) -> None:
    """`progress` is who hears, until the next, what `tell` says."""
    global _listener
    _listener = progress


def tell(text: str) -> None:
    """A notice from where nobody was named who listens, as deep as the wait for a child process."""
    if _listener is not None:
        _listener.notice(text)


def listener(progress: Progress | None) -> Progress:
    """Who listens: where nobody is named, notes go to stderr, and a terminal or a notebook gets a
    bar. `Silent()` is the one to name for silence."""
    if progress is not None:
        return progress
    from mobileq.console import Console

    return Console()


def tracked[T](items: Iterable[T], progress: Progress, name: str, total: int | None) -> Iterator[T]:
    """`items`, each counted as a piece of the stage `name` when the next is asked for."""
    with progress.stage(name, total) as advance:
        for item in items:
            yield item
            advance()

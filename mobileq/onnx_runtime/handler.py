"""The child's side of `hosted`: sessions, and how much memory their runs may take."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from mobileq.external.framing import Arrays, Fields, is_sendable
from mobileq.external.memory import RunLimit, is_lack, share_of, too_much
from mobileq.onnx_runtime.session import LocalSession, SessionError, SessionOptions


class SessionHandler:
    """Methods as `mobileq.external.child` calls them, several of them at the same time."""

    def __init__(self) -> None:
        importlib.import_module("onnxruntime")  # while nothing is asked yet
        self._numbers = itertools.count()
        self._sessions: dict[int, tuple[LocalSession, int]] = {}
        self._held: Arrays = {}
        self._guests: dict[int, tuple[Any, int]] = {}
        self._limit = RunLimit()

    def open(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Load the file `path`; gives its `number`, and names of its `outputs`."""
        self._drop(fields)
        path = Path(fields["path"])
        options = msgspec.convert(fields["options"], SessionOptions)
        try:
            share = share_of(path.stat().st_size if path.exists() else 0)
            with self._bounded(share):
                session = LocalSession(path, options)
        except SessionError as error:
            return {"refused": error.reason}, {}
        number = next(self._numbers)
        self._sessions[number] = session, share
        return {"number": number, "outputs": session.output_names}, {}

    def hold(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Keep the array `held`; gives its `number`."""
        self._drop(fields)
        number = next(self._numbers)
        self._held[str(number)] = arrays["held"]
        return {"number": number}, {}

    def run(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Feeds, and those that are `held`, to the outputs `names`, each by its place among them;
        `count` of them. What is no array of numbers is left out."""
        session, share = self._sessions[fields["number"]]
        held = {name: self._held[str(number)] for name, number in fields["held"].items()}
        try:
            with self._bounded(share):
                values = session.run(fields["names"], {**arrays, **held})
        except SessionError as error:
            return {"refused": error.reason}, {}
        found = {str(at): value for at, value in enumerate(values) if is_sendable(value)}
        return {"count": len(values)}, found

    def latency(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """`seconds` of several runs."""
        session, share = self._sessions[fields["number"]]
        try:
            with self._bounded(share):
                seconds = session.latency(arrays, fields["runs"], fields["warmup"])
        except SessionError as error:
            return {"refused": error.reason}, {}
        return {"seconds": seconds}, {}

    def close(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Free the sessions that are `dropped`."""
        self._drop(fields)
        return {}, {}

    def make(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """A guest: another `handler`, whose runs are of the file `path`; gives its `number`."""
        self._drop(fields)
        module, _, name = fields["handler"].partition(":")
        number, share = next(self._numbers), share_of(Path(fields["path"]).stat().st_size)
        self._guests[number] = getattr(importlib.import_module(module), name)(), share
        return {"number": number}, {}

    def ask(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """What the `command` of the guest `number` gives."""
        guest, share = self._guests[fields["number"]]
        with self._bounded(share):
            found: tuple[Fields, Arrays] = getattr(guest, fields["command"])(
                fields["fields"], arrays
            )
        return found

    def _drop(self, fields: Fields) -> None:
        for number in fields["dropped"]:
            self._sessions.pop(number, None)
            self._held.pop(str(number), None)
            self._guests.pop(number, None)

    @contextmanager
    def _bounded(self, share: int) -> Iterator[None]:
        try:
            with self._limit.of(share):
                yield
        except MemoryError as error:
            raise too_much("The model", share) from error
        except SessionError as error:
            if is_lack(error.reason):
                raise too_much("The model", share) from error
            raise

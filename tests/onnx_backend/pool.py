"""Runs tests in other processes: a crash or a hang is an outcome, not the end.

Importing the converters takes ten times longer than converting one operator. They are imported
once, tests run in forks, some dozens in each, and what mobileq gives to child processes runs in
that fork. What does not come out right is repeated in a fork of its own, and with mobileq's own
child processes where that dies, which is what a person would see.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from mobileq import errors
from mobileq.external.child import Child
from tests.onnx_backend.cases import Case, cases
from tests.onnx_backend.trial import Outcome, crash, try_case

_TIMEOUT = 120.0
_MOST = 60
"""Tests in one fork, whose memory grows with them."""
_NATIVE = ("MNN", "_tools")
"""Start threads when they are imported, which a fork does not have."""
_FORK = multiprocessing.get_context("fork")


def preload(target: str) -> None:
    """Import all that a first test, in a fork, is seen to import."""
    reader, writer = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_imported, args=(target, writer))
    process.start()
    writer.close()
    for name in reader.recv():
        with suppress(Exception):  # some modules can't be imported under their own name
            importlib.import_module(name)
    process.join()
    from mobileq.workflows import stages

    stages.code_digest()
    if target == "tflite":
        _read_schema_once()
    gc.collect()
    gc.freeze()


def _read_schema_once() -> None:
    """onnx2tf 2.6.9 compiles 20,000 lines of classes for each folder that it writes into."""
    from onnx2tf import tflite_builder

    with tempfile.TemporaryDirectory() as folder:
        schema = tflite_builder.load_schema_module(folder)
    tflite_builder.load_schema_module = lambda folder: schema


def _imported(target: str, writer: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    _one_engine()
    _keep_in_process()
    try_case(next(case for case in cases() if case.name == "test_matmul_2d"), target)
    writer.send([name for name in sys.modules if name.split(".")[0] not in _NATIVE])
    os._exit(0)


def outcomes(
    cases: Iterable[Case], target: str, jobs: int, log: Path
) -> Iterator[tuple[Case, Outcome, float]]:
    """(test, outcome, seconds), in the order in which they end; output goes into `log`."""
    preload(target)
    waiting = iter(cases)
    workers: list[_Worker] = []
    while True:
        workers = [worker for worker in workers if worker.is_alive]
        while len(workers) < jobs:
            workers.append(_Worker(target, log))
        for worker in workers:
            if worker.case is None and (case := next(waiting, None)) is not None:
                worker.give(case)
        busy = [worker for worker in workers if worker.case is not None]
        if not busy:
            break
        wait([worker.channel for worker in busy], timeout=1.0)
        for worker in busy:
            found = worker.outcome()
            if found is None:
                continue
            case, (outcome, seconds) = worker.done(), found
            if outcome.kind not in ("right", "excluded"):
                outcome, seconds = _repeated(case, target, log)
            yield case, outcome, seconds
    for worker in workers:
        worker.close()


def _repeated(case: Case, target: str, log: Path) -> tuple[Outcome, float]:
    """In a fork that no other test has changed; with child processes, where that dies."""
    for alone in (False, True):
        worker = _Worker(target, log, alone=alone)
        worker.give(case)
        while (found := worker.outcome()) is None:
            wait([worker.channel], timeout=1.0)
        if worker.is_alive:
            break
    worker.close()
    return found


class _Worker:
    """A fork that runs tests, one after the other."""

    def __init__(self, target: str, log: Path, *, alone: bool = False) -> None:
        self.case: Case | None = None
        self.is_alive = True
        self._left = 1 if alone else _MOST
        self._started = 0.0
        self.channel, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=_work, args=(target, theirs, log, alone))
        self._process.start()
        theirs.close()

    def give(self, case: Case) -> None:
        """The next test."""
        self.case, self._started = case, time.monotonic()
        self.channel.send(case)

    def done(self) -> Case:
        """The test whose outcome is known; the last one of a worker ends it."""
        assert self.case is not None
        case, self.case = self.case, None
        self._left -= 1
        if self.is_alive and not self._left:
            self.close()
        return case

    def outcome(self) -> tuple[Outcome, float] | None:
        """None while it runs."""
        seconds = time.monotonic() - self._started
        if self.channel.poll():
            try:
                found: Outcome = self.channel.recv()
            except (EOFError, OSError):
                self.close()
                found = crash(self._process.exitcode or 0)
            return found, seconds
        if seconds > _TIMEOUT:
            self._process.kill()
            self.close()
            return Outcome("raw", f"no end after {_TIMEOUT:.0f} seconds"), seconds
        return None

    def close(self) -> None:
        """End it. Forks have each other's ends of the channels: none sees that one is closed."""
        self.is_alive = False
        with suppress(OSError):
            self.channel.send(None)
        self.channel.close()
        self._process.join(5.0)
        self._process.kill()
        self._process.join()


def _work(target: str, channel: Connection, log: Path, alone: bool) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    _one_engine()
    if not alone:
        _keep_in_process()
    with (
        tempfile.TemporaryDirectory(prefix="onnx-backend-") as tempfile.tempdir,
        suppress(EOFError, ConnectionError),
    ):
        while (case := channel.recv()) is not None:
            os.write(1, f"\n=== {case.id}\n".encode())
            channel.send(try_case(case, target))
            sys.stdout.flush()
            gc.collect()
            gc.freeze()  # onnx2tf 2.6.9 collects twice for each model
    os._exit(0)  # native libraries crash in their exit handlers


def _one_engine() -> None:
    """Without the second engine, an extra that takes minutes where the first one fails."""
    import dataclasses

    from mobileq.targets.tflite.target import TfliteTarget

    TfliteTarget.info = dataclasses.replace(TfliteTarget.info, options=())


def _keep_in_process() -> None:
    """The handlers of mobileq's child processes run in this one."""

    def made(self: Any, handler: str, *, stage: str, tool: str, advice: str = "", **_: Any) -> None:
        self._stage, self._tool, self._advice, self._handler = stage, tool, advice, None
        self._name, self.folder = handler, Path(tempfile.mkdtemp())

    def request(self: Any, command: str, fields: Any = None, arrays: Any = None) -> Any:
        if self._handler is None:
            module, _, name = self._name.partition(":")
            self._handler = getattr(importlib.import_module(module), name)()
        try:
            return getattr(self._handler, command)(fields or {}, dict(arrays or {}))
        except errors.MobileqError:
            raise
        except (Exception, SystemExit) as error:
            import traceback

            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            raise errors.ToolError(
                f"{self._tool} failed while {self._stage}: {type(error).__name__}: {first}"[:500]
            ) from error

    def turn_to(self: Any, stage: str, tool: str) -> None:
        self._stage, self._tool = stage, tool

    replaced: dict[str, Any] = {
        **{"__init__": made, "request": request, "turn_to": turn_to, "is_running": True},
        **dict.fromkeys(("close", "kill"), lambda self: None),
    }
    for name, function in replaced.items():
        setattr(Child, name, function)

"""Runs tests in processes of their own: a crash or a hang is an outcome, not the end.

Importing the converters takes ten times longer than converting one operator. They are imported
once, each test runs in a fork, and what mobileq gives to child processes runs in that fork. A fork
that dies is repeated with mobileq's own child processes, which is what a person would see.
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

    stages._code()
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
    running: dict[int, _Trial] = {}
    while True:
        while len(running) < jobs and (case := next(waiting, None)) is not None:
            trial = _Trial(case, target, log, alone=False)
            running[trial.reader.fileno()] = trial
        if not running:
            return
        wait([trial.reader for trial in running.values()], timeout=1.0)
        for key, trial in list(running.items()):
            outcome = trial.outcome()
            if outcome is None:
                continue
            del running[key]
            if trial.died and not trial.alone:
                again = _Trial(trial.case, target, log, alone=True)
                running[again.reader.fileno()] = again
                continue
            yield trial.case, outcome, time.monotonic() - trial.started


class _Trial:
    """A test that runs in a fork."""

    def __init__(self, case: Case, target: str, log: Path, alone: bool) -> None:
        self.case, self.alone, self.died = case, alone, False
        self.started = time.monotonic()
        self.reader, writer = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_work, args=(case, target, writer, log, alone))
        self._process.start()
        writer.close()

    def outcome(self) -> Outcome | None:
        """None while it runs."""
        if self.reader.poll():
            try:
                found: Outcome | None = self.reader.recv()
            except EOFError:
                found = None
            self._process.join()
            self.reader.close()
            if found is None:
                self.died = True
                found = crash(self._process.exitcode or 0)
            return found
        if time.monotonic() - self.started > _TIMEOUT:
            self._process.kill()
            self._process.join()
            self.reader.close()
            return Outcome("raw", f"no end after {_TIMEOUT:.0f} seconds")
        return None


def _work(case: Case, target: str, writer: Connection, log: Path, alone: bool) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.write(1, f"\n=== {case.id}\n".encode())
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    _one_engine()
    if not alone:
        _keep_in_process()
    with tempfile.TemporaryDirectory(prefix="onnx-backend-") as tempfile.tempdir:
        writer.send(try_case(case, target))
    sys.stdout.flush()
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

    replaced: dict[str, Any] = {
        **{"__init__": made, "request": request, "is_running": True},
        **dict.fromkeys(("close", "kill"), lambda self: None),
    }
    for name, function in replaced.items():
        setattr(Child, name, function)

"""Run all files of a model in this process: over the same pictures, and in turns on one of them."""

from __future__ import annotations

import importlib
import pickle
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mobileq.calibration.samples import Picture, Sample
from mobileq.errors import MobileqError
from mobileq.external.inside import enter
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner
from mobileq.tasks.base import Answer, Level, task_of
from mobileq.vision.preprocess import feed_picture, read_image
from mobileq.workflows.opening import OpenModel

RUNS_A_TURN = 3
PAUSE_SECONDS = 0.02
"""Before each turn: the thread pools of the file before spin for some milliseconds."""
TOLD_EVERY_SECONDS = 30
RUNNERS = {
    "onnxruntime": "mobileq.targets.reference:ReferenceRunner",
    "phone": "mobileq.targets.onnxruntime.interpreter:OrtRunner",
    "tflite": "mobileq.targets.tflite.interpreter:TfliteRunner",
    "mnn": "mobileq.targets.mnn.interpreter:MnnRunner",
}


def opened(model: OpenModel, threads: int, runner: str = "") -> Runner:
    """In this process, sessions of ONNX Runtime too: their processor time is to be seen here."""
    enter()
    module, _, name = RUNNERS[runner or model.target or "onnxruntime"].partition(":")
    made: Runner = getattr(importlib.import_module(module), name)(
        model.path, model.inputs, model.outputs, threads=threads
    )
    return made


class StoredAnswers:
    """One file's answers by picture, on disk after each: what was cut goes on behind the last."""

    def __init__(self, path: Path) -> None:
        self.by_picture: dict[int, tuple[Answer, ...]] = {}
        whole = 0
        if path.exists():
            with path.open("rb") as file, suppress(EOFError, pickle.UnpicklingError):
                for key, answers in _each(file):
                    self.by_picture[key], whole = answers, file.tell()
        self._file = path.open("ab")
        self._file.truncate(whole)

    def add(self, key: int, answers: tuple[Answer, ...]) -> None:
        """Keep them."""
        self.by_picture[key] = answers
        pickle.dump((key, answers), self._file)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _each(file: BinaryIO) -> Iterator[tuple[int, tuple[Answer, ...]]]:
    while True:
        yield pickle.load(file)


def run_over(
    pictures: Sequence[tuple[int, Path]],
    spec: ModelSpec,
    models: Mapping[str, OpenModel],
    runners: Mapping[str, Runner],
    answers: Mapping[str, StoredAnswers],
    level: Level,
) -> dict[str, str]:
    """Each picture once through all files that have not answered to it yet.

    Returns:
        What those files said that failed. They are left out from there on.
    """
    failed: dict[str, str] = {}
    tasks = {key: task_of(model.spec) for key, model in models.items()}
    start = told = time.monotonic()
    for at, (key, path) in enumerate(pictures, 1):
        left = runners.keys() - failed.keys()
        missing = [row for row in left if key not in answers[row].by_picture]
        if missing:
            feeds, transform = feed_picture(spec, read_image(path))
            sample = Sample(path.name, feeds, (Picture(None, transform, path),))
        for row in missing:
            try:
                outputs = runners[row].run(feeds)
            except MobileqError as error:
                failed[row] = str(error)
                continue
            answers[row].add(key, tasks[row].read(outputs, sample, level))
        if time.monotonic() - told > TOLD_EVERY_SECONDS or at == len(pictures):
            told = time.monotonic()
            tell(f"{spec.name}: {at} of {len(pictures)} pictures, {told - start:.0f} s")
    return failed


def tell(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def side_by_side(
    runners: Mapping[str, Runner], feeds: dict[str, Any], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """(milliseconds, of processor time) of an inference of each file, one pair a round.

    All files take turns, so that whatever else the machine does meets all of them alike. A turn is
    one run to warm up and the median of a few; the processor time of feeding is taken out.
    """
    measured: dict[str, list[tuple[float, float]]] = {key: [] for key in runners}
    for _ in range(rounds):
        for key, runner in runners.items():
            time.sleep(PAUSE_SECONDS)
            runner.latency(feeds, 1, 0)
            start = time.process_time()
            runner.latency(feeds, 1, 0)
            once = time.process_time()
            seconds = runner.latency(feeds, RUNS_A_TURN + 1, 0)[1:]
            cpu = (time.process_time() - once - (once - start)) / RUNS_A_TURN
            measured[key].append((statistics.median(seconds) * 1000.0, cpu * 1000.0))
    return measured


def ratios(
    measured: Sequence[tuple[float, float]], base: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Medians over the rounds: of the time, and of the processor time."""
    pairs = list(zip(measured, base, strict=True))
    wall, cpu = (statistics.median(a[at] / b[at] for a, b in pairs) for at in (0, 1))
    return wall, cpu

"""Run a file over pictures, and several files in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobileq.evaluate.runs import run_each
from mobileq.evaluate.scores import Answers
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner
from mobileq.targets.hosted import HostedRunner
from mobileq.tasks.base import task_of
from mobileq.workflows.decision import picture_samples
from mobileq.workflows.opening import OpenModel

THREADS = 2
RUNS_A_TURN = 3
PAUSE_SECONDS = 0.02
"""Before each turn: the thread pools of the file before spin for some milliseconds."""
RUNNERS = {
    "onnxruntime": "mobileq.targets.onnxruntime.runner:OnnxRuntimeRunner",
    "phone": "mobileq.targets.onnxruntime.interpreter:OrtRunner",
    "tflite": "mobileq.targets.tflite.interpreter:TfliteRunner",
    "mnn": "mobileq.targets.mnn.interpreter:MnnRunner",
}


def opened_with_threads(model: OpenModel, runner: str = "") -> Runner:
    """In a process of its own, with as many threads as all others."""
    options: dict[str, Any] = {"threads": THREADS}
    kind = RUNNERS[runner or model.target]
    return HostedRunner(kind, model.path, model.inputs, model.outputs, tool=model.target, **options)


def answers_of(spec: ModelSpec, runner: Runner, pictures: Sequence[tuple[int, Path]]) -> Answers:
    """Run one file over all pictures."""
    found = Answers(task_of(spec))
    for sample, outputs in run_each(runner, picture_samples(spec, (path for _, path in pictures))):
        found.update(sample, outputs)
    return found


def side_by_side(
    runners: dict[str, Runner], feeds: dict[str, Any], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each file, one figure a round.

    All files take turns, so that whatever else the machine does meets all of them alike. A turn is
    one run to warm up and the median of a few.
    """
    measured: dict[str, list[float]] = {key: [] for key in runners}
    for _ in range(rounds):
        for key, runner in runners.items():
            time.sleep(PAUSE_SECONDS)
            seconds = runner.latency(feeds, RUNS_A_TURN, 1)
            measured[key].append(statistics.median(seconds) * 1000.0)
    return measured

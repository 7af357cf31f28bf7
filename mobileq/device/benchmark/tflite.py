"""TFLite's benchmark_model, as tests/device/benchmark/outputs has its output: the oldest tell no
first inference, and only newer ones percentiles."""

from __future__ import annotations

import re

from mobileq.device.benchmark.base import Asked, Benchmark, Measured, NoTimesError, no_times, number
from mobileq.device.runner.client import Accelerator
from mobileq.device.runner.delegation import delegations

_DELEGATES = {"cpu": "", "gpu": "--use_gpu=true", "nnapi": "--use_nnapi=true"}
_END = "nference timings in us:"
"""Of `Inference timings in us:`, and of the `Average inference timings in us:` before it."""
_APPLIED = r"(?m)^(?!.*Though).*[Aa]pplied {} delegate"
"""Said of a delegate that took something. One that took nothing, or that the program was built
without, is passed over with exit code 0, and the CPU runs the model."""
_MEMORY = (
    r"Memory footprint delta from the start of the tool \(MB\): init=[^ ]+ overall=#",
    r"Peak memory footprint \(MB\): init=[^ ]+ overall=#",
)


def _script(asked: Asked) -> str:
    words = [
        f"--graph={asked.word}",
        f"--num_runs={asked.runs}",
        f"--warmup_runs={asked.warmup}",
        "--min_secs=0",
        "--warmup_min_secs=0",
        f"--num_threads={asked.shell_threads}",
        _DELEGATES[asked.delegate],
    ]
    return f"{asked.count_processors}exec ./program {' '.join(words)}".strip()


def _read(text: str, delegate: Accelerator) -> Measured:
    head, mark, tail = text.rpartition(_END)
    if not mark:
        raise no_times(text)
    if delegate != "cpu" and not re.search(_APPLIED.format(delegate.upper()), text):
        raise NoTimesError(f"the {delegate.upper()} took nothing of the model; the CPU ran it")
    last = head.rpartition("count=")[2]  # of the runs that count; those before are the warm-up
    mean = number(r"avg=#", last)
    if mean is None:
        mean = number(r"^\d+ curr=#", last.partition("\n")[0])
    if mean is None:
        raise no_times(text)
    loaded, first = number(r"Init: #", tail), number(r"First inference: #", tail)
    grown = [number(pattern, tail) for pattern in _MEMORY]
    return Measured(
        mean_ms=round(mean / 1e3, 6),
        median_ms=_milliseconds(number(r"median=#", last)),
        p95_ms=_milliseconds(number(r"p95=#", last)),
        first_ms=_milliseconds(first),
        load_ms=_milliseconds(loaded),
        peak_bytes=next((int(each * 2**20) for each in grown if each is not None), None),
        delegations=tuple(map(str, delegations(text))),
    )


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1e3, 6)


TFLITE = Benchmark(
    title="TFLite's benchmark_model",
    target="tflite",
    mark=b"Inference timings in us: ",
    script=_script,
    read=_read,
    delegates=("cpu", "gpu", "nnapi"),
)

"""Time of the calibration statistics against plain inference over the same pictures.

    python benchmarks/statistics_speed.py MODEL.onnx PHOTOS [--count 16] [--runs 5]

Plain is an ONNX Runtime session with its default optimisations and two threads, one picture after
the other; the statistics are of all float activations, with two threads as well. Both include
loading the model, take the same finished tensors and run in this process. The two sides alternate;
the medians, the fastest runs and the ratio of each are printed, of wall and of processor time: on a
machine that has other work only the latter says something.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import onnxruntime

from mobileq.calibration.samples import open_samples
from mobileq.calibration.statistics import collect
from mobileq.external import inside
from mobileq.progress import Silent
from mobileq.spec import PreprocessSpec, TensorSpec

THREADS = 2
Seconds = tuple[float, float]
"""Wall, processor."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    inside.enter()  # where sessions are not put into a child, whose time nobody would see
    model = options.model.read_bytes()
    session = load(model)
    feeds = read(session, options.photos, options.count)
    session.run(None, feeds[0])
    plain: list[Seconds] = []
    pass_: list[Seconds] = []
    for _ in range(options.runs):
        plain.append(measured(lambda: run_plain(model, feeds)))
        pass_.append(measured(lambda: collect(model, None, feeds, Silent(), len(feeds), THREADS)))
    count = len(collect(model, None, feeds[:1], Silent(), 1, THREADS).tensors)
    print(f"{options.model.name}, {len(feeds)} pictures, {count} tensors, in seconds")
    for at, kind in enumerate(("wall", "processor")):
        for name, choose in (("median", statistics.median), ("fastest", min)):
            one, other = (choose([run[at] for run in side]) for side in (plain, pass_))
            print(f"{kind:9} {name:7} plain {one:6.3f}", end=" ")
            print(f"statistics {other:6.3f}   ratio {other / one:.2f}")


def measured(work: Callable[[], object]) -> Seconds:
    """Of this process and all of its threads."""
    start, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - before


def load(model: bytes) -> onnxruntime.InferenceSession:
    """The plain side's session."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_plain(model: bytes, feeds: list[dict[str, object]]) -> None:
    """Load the model and run it on all pictures."""
    session = load(model)
    for each in feeds:
        session.run(None, each)


def read(session: onnxruntime.InferenceSession, photos: Path, count: int) -> list[dict[str, Any]]:
    """The first pictures, letterboxed to the model's input."""
    (value,) = session.get_inputs()
    channels_last = value.shape[-1] in (1, 3)
    height, width = value.shape[1:3] if channels_last else value.shape[2:]
    layout: Literal["NCHW", "NHWC"] = "NHWC" if channels_last else "NCHW"
    dtype = "uint8" if "uint8" in value.type else "float32"
    samples = open_samples(
        photos,
        PreprocessSpec(width=width, height=height, layout=layout),
        (TensorSpec(name=value.name, shape=tuple(value.shape), dtype=dtype, layout=layout),),
    )
    return [sample.feeds for sample, _ in zip(samples, range(count), strict=False)]


if __name__ == "__main__":
    main()

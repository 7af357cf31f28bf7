"""Seconds of mobileq's int8, with its search and without, beside NNCF's, from one run.

    python benchmarks/nncf_speed.py MODEL.onnx PHOTOS --nncf-python PYTHON [--count 64] [--runs 1]

All start from nothing and end with a file: mobileq reads the photos, converts without its cache and
verifies; NNCF is given the finished tensors and the simplified model (`nncf_quantize.py`), and its
seconds have the reading of the photos added, so that both sides do the same. Sides take turns, run
by run. Wall time and processor time (all processes) are medians; on a machine that has other work,
only the ratio of processor times says something.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from mobileq.calibration.samples import open_samples
from mobileq.preparation.prepare import prepare

Seconds = tuple[float, float]
"""Wall, processor."""


def main() -> None:
    """Measure all sides in turn, and print the table."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        photos = first_photos(options.photos, scratch / "photos", options.count)
        sides: dict[str, Callable[[], Seconds]] = {}
        if options.nncf_python:
            sides["NNCF"] = lambda: measure_nncf(options, photos, scratch)
        sides["mobileq, no search"] = lambda: measure_mobileq(
            options.model, photos, scratch, "--no-search"
        )
        sides["mobileq"] = lambda: measure_mobileq(options.model, photos, scratch)
        found: dict[str, list[Seconds]] = {name: [] for name in sides}
        for _ in range(options.runs):
            for name, measure in sides.items():
                found[name].append(measure())
    medians = {name: median(each) for name, each in found.items()}
    print(
        f"{options.model.name}, {options.count} photos, {os.cpu_count()} CPUs, median of", end=" "
    )
    print(f"{options.runs} runs; load {os.getloadavg()[0]:.1f}")
    for name, (wall, cpu) in medians.items():
        line = f"{name:20} {wall:7.1f} s wall {cpu:7.1f} s CPU"
        if options.nncf_python and name != "NNCF":
            of = medians["NNCF"]
            line += f"   {wall / of[0]:.2f} and {cpu / of[1]:.2f} times NNCF's"
        print(line)


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--nncf-python", help="a Python with nncf, onnx and numpy")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--runs", type=int, default=1)
    return parser.parse_args()


def first_photos(source: Path, target: Path, count: int) -> Path:
    """A folder of the first photos by name."""
    target.mkdir()
    found = sorted(source.glob("*.jpg"))[:count]
    if len(found) < count:
        raise SystemExit(f"{source} has {len(found)} photos, fewer than {count}")
    for path in found:
        (target / path.name).symlink_to(path.absolute())
    return target


def measure_mobileq(model: Path, photos: Path, scratch: Path, *more: str) -> Seconds:
    """The whole command, its own start included."""
    command = [sys.executable, "-m", "mobileq", "convert", str(model), "--calib", str(photos)]
    command += ["--precision", "int8", "--no-cache", "--force", "-o", str(scratch / "bundle")]
    return measured(lambda: run([*command, *more]))


def measure_nncf(options: argparse.Namespace, photos: Path, scratch: Path) -> Seconds:
    """From the photos to the written file; to prepare the model is left out."""
    prepared = prepare(options.model)
    simplified, tensors = scratch / "model.onnx", scratch / "samples.npy"
    onnx.save(prepared.model, simplified)

    def work() -> None:
        samples = open_samples(photos, prepared.spec.preprocess, prepared.spec.inputs)
        (name,) = (each.name for each in prepared.spec.inputs)
        np.save(tensors, np.stack([sample.feeds[name] for sample in samples]))
        script = Path(__file__).with_name("nncf_quantize.py")
        arguments = [str(simplified), str(tensors), name, str(scratch / "nncf.onnx")]
        run([options.nncf_python, str(script), *arguments])

    return measured(work)


def run(command: list[str]) -> None:
    """Without its output, unless it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr[-2000:]}")


def measured(work: Callable[[], None]) -> Seconds:
    """Of this process and all that it started and that have ended."""
    start, before = time.perf_counter(), processor_seconds()
    work()
    return time.perf_counter() - start, processor_seconds() - before


def processor_seconds() -> float:
    """User and system time."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def median(runs: list[Seconds]) -> Seconds:
    """Of wall and processor time each."""
    wall, cpu = zip(*runs, strict=True)
    return statistics.median(wall), statistics.median(cpu)


if __name__ == "__main__":
    main()

"""Time and peak memory of a whole `mobileq convert`, cold result cache, both engines if asked.

    python benchmarks/convert_speed.py MODEL.onnx PHOTOS [--tensorflow] [--runs 3]

Prints one row per case: the direct engine with 64 and with 512 calibration pictures (the photos
are repeated under new names where there are fewer), int8 included and not; with --tensorflow also
TensorFlow's engine and the ratio of the two, from the same run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

FLOAT = "fp32,fp16,dynamic"
SAMPLE_SECONDS = 0.02


def main() -> None:
    """Run all cases and print the table."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        photos = repeat_photos(options.photos, scratch / "photos", 512)
        cases = [
            ("direct, float, 64 photos", ["--precision", FLOAT, "--calib-count", "64"]),
            ("direct, float, 512 photos", ["--precision", FLOAT, "--calib-count", "512"]),
            ("direct, +int8, 64 photos", ["--precision", f"{FLOAT},int8", "--calib-count", "64"]),
            ("direct, +int8, 512 photos", ["--precision", f"{FLOAT},int8", "--calib-count", "512"]),
        ]
        if options.tensorflow:
            cases.append(
                (
                    "tensorflow, float, 64 photos",
                    ["--precision", FLOAT, "--calib-count", "64", "--engine", "tensorflow"],
                )
            )
        seconds = {}
        print(f"{options.model.name}, {os.cpu_count()} CPUs, median of {options.runs} runs")
        for name, arguments in cases:
            command = [sys.executable, "-m", "mobileq", "convert", str(options.model)]
            command += ["--calib", str(photos), *arguments]
            runs = [measure(command, scratch) for _ in range(options.runs)]
            seconds[name] = statistics.median(run[0] for run in runs)
            peak = max(run[1] for run in runs) / 1e6
            print(f"{name:32} {seconds[name]:7.1f} s   peak {peak:6.0f} MB (all processes)")
        if options.tensorflow:
            slow, quick = seconds[cases[-1][0]], seconds[cases[0][0]]
            print(f"tensorflow / direct: {slow / quick:.1f}")


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--tensorflow", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def repeat_photos(source: Path, target: Path, count: int) -> Path:
    """A folder of `count` photos, those of `source` under as many names as it takes."""
    target.mkdir()
    photos = sorted(source.glob("*.jpg"))
    for index in range(count):
        shutil.copy(photos[index % len(photos)], target / f"{index:04}.jpg")
    return target


def measure(command: list[str], scratch: Path) -> tuple[float, int]:
    """(wall seconds, peak bytes of proportional memory over all processes) of one cold run."""
    cache = Path(tempfile.mkdtemp(dir=scratch))
    environment = {**os.environ, "MOBILEQ_CACHE_DIR": str(cache)}
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [*command, "--output", str(cache / "bundle")],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, memory(watched))
        time.sleep(SAMPLE_SECONDS)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(command)}")
    shutil.rmtree(cache)
    return wall, peak


def memory(process: psutil.Process) -> int:
    """Proportional set size of a process and its children, bytes: shared pages count once."""
    total = 0
    for each in (process, *children(process)):
        try:
            total += each.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def children(process: psutil.Process) -> list[psutil.Process]:
    """All processes below, none where it ended meanwhile."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


if __name__ == "__main__":
    main()

"""`mobileq detect` beside a plain ONNX Runtime loop, and how memory goes with the pictures.

    python benchmarks/detect_speed.py MODEL.onnx FOLDER [--count 2000] [--turns 4] [--coco]

Both sides decode, letterbox, run and suppress the same pictures, in turns, so that other load on
the machine falls on both; detect runs the model in a child. Memory is of this process, and counts
from the second turn on: in the first, libraries are loaded. The loop is what people write: OpenCV,
a session with its defaults, NumPy, cv2.dnn.NMSBoxes. The plain side knows YOLOv5's and YOLOv8's
outputs only.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import onnxruntime

from mobileq.workflows.detect import detect


def plain_loop(session: Any, paths: list[Path]) -> int:
    """How many objects there are."""
    (taken,) = session.get_inputs()
    height, width = taken.shape[2:]
    count = 0
    for path in paths:
        image: Any = cv2.imread(str(path))
        scale = min(width / image.shape[1], height / image.shape[0])
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        canvas = np.full((height, width, 3), 114, np.uint8)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
        tensor = canvas[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
        (output, *_) = session.run(None, {taken.name: np.ascontiguousarray(tensor)})
        rows = output[0] if output.shape[2] < output.shape[1] else output[0].T
        first = 5 if rows.shape[1] == 85 else 4
        scores = rows[:, first:] * rows[:, 4:5] if first == 5 else rows[:, first:]
        best = scores.max(axis=1)
        rows, best = rows[best >= 0.25], best[best >= 0.25]
        boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, 2:4]], axis=1)
        count += len(cv2.dnn.NMSBoxes(boxes.tolist(), best.tolist(), 0.25, 0.45))
    return count


def resident_mb() -> float:
    """Of this process, now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def clocks() -> np.ndarray:
    """Wall and CPU seconds, the latter of children too that have ended: detect's do with it."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() + children.ru_utime + children.ru_stime
    return np.array([time.perf_counter(), cpu])


def main() -> None:
    """Print seconds, ratios and growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--coco", action="store_true", help="detect writes COCO results as well")
    options = parser.parse_args()
    found = itertools.cycle(sorted(options.folder.rglob("*.jpg")))
    paths = list(itertools.islice(found, options.count // options.turns))
    session = onnxruntime.InferenceSession(options.model, providers=["CPUExecutionProvider"])
    plain_loop(session, paths[:2])
    sums = np.zeros((2, 2))
    with TemporaryDirectory() as folder:
        coco = Path(folder, "results.json") if options.coco else None
        start = clocks()
        detect(options.model, paths[:2], coco=coco)  # what preparing the model takes
        preparing = clocks() - start
        for _ in range(options.turns):
            start = clocks()
            plain_loop(session, paths)
            sums[0] += clocks() - start
            before, start = resident_mb(), clocks()
            run = detect(options.model, paths, coco=coco)
            sums[1] += clocks() - start - preparing
            grown = (resident_mb() - before) * 1e3 / len(paths)
            print(f"{len(run.pictures)} pictures, {grown:.1f} kB of memory each", flush=True)
    milliseconds = sums / (options.turns * len(paths)) * 1e3
    for name, (wall, cpu) in zip(("plain loop", "detect"), milliseconds, strict=True):
        print(f"{name}: {wall:.1f} ms a picture, {cpu:.1f} ms of CPU")
    wall, cpu = sums[1] / sums[0]
    print(f"detect / plain: {wall:.2f} (wall), {cpu:.2f} (CPU)")


if __name__ == "__main__":
    main()

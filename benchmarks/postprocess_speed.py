"""Time and garbage of the Java core's decoding and suppression, against the usual sample app's.

    python benchmarks/postprocess_speed.py [--quick]

Measured by JMH on this machine's JVM. All sides take the same scene of a YOLOv5 with 640 pixels and
80 classes: its own output, [1, 25200, 85] floats, or its last convolutions in int8. They start from
outputs that lie in Java arrays and must agree on how many objects there are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobileq.spec import PreprocessSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.decode.arrays import grid, sigmoid
from mobileq.vision.preprocess import dequantize
from tests.android import jvm
from tests.android.golden_cases import Head, View, as_stored, write_case

SIZE, CLASSES, OBJECTS = 640, 80, 25
STRIDES = (8, 16, 32)
ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
THOROUGH = ("-f", "3", "-wi", "5", "-w", "1s", "-i", "5", "-r", "1s")
QUICK = ("-f", "1", "-wi", "3", "-w", "400ms", "-i", "3", "-r", "400ms")


@dataclass(frozen=True)
class Measured:
    """Per picture."""

    microseconds: float
    allocated_bytes: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds, not minutes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = measure(Path(work), QUICK if options.quick else THOROUGH)
    print(f"{'':16}{'us':>10}{'bytes':>12}")
    for name, side in found.items():
        print(f"{name:16}{side.microseconds:10.1f}{side.allocated_bytes:12.1f}")
    for sample, core in (
        ("sampleFloat", "coreFloat"),
        ("sampleFloat", "coreRawInt8"),
        ("sampleRawInt8", "coreRawInt8"),
    ):
        ratio = found[sample].microseconds / found[core].microseconds
        print(f"{sample} / {core}: {ratio:.1f}")


def measure(
    work: Path, effort: tuple[str, ...], only: str = "Postprocessing"
) -> dict[str, Measured]:
    """All sides whose name matches in one run; by the names of their methods."""
    write_scene(work / "scene")
    return {
        run["benchmark"].rpartition(".")[2]: Measured(
            run["primaryMetric"]["score"],
            run["secondaryMetrics"]["gc.alloc.rate.norm"]["score"],
        )
        for run in jmh(work, effort, only, f"-Dscene={work / 'scene'}")
    }


def jmh(work: Path, effort: tuple[str, ...], only: str, *options: str) -> list[dict[str, Any]]:
    """Compile, and run all benchmarks whose name matches; JMH's results."""
    classes, result = work / "classes", work / "result.json"
    libraries = jvm.libraries("jmh")
    sources = jvm.sources(jvm.CORE, jvm.ROOT / "benchmarks/java")
    processed = ("-Xlint:none", "-processorpath", jvm.class_path(libraries))
    said = jvm.javac(classes, sources, libraries, *processed)
    if said:
        raise SystemExit(said)
    done = subprocess.run(
        [
            *(jvm.tool("java"), "-cp", jvm.class_path([classes, *libraries])),
            *("org.openjdk.jmh.Main", only, *effort, "-prof", "gc", "-foe", "true"),
            *("-jvmArgsAppend", " ".join(("-Xmx1g", *options))),
            *("-rf", "json", "-rff", str(result)),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode or not result.exists():
        raise SystemExit(done.stdout[-4000:] + done.stderr[-2000:])
    runs: list[dict[str, Any]] = json.loads(result.read_text())
    return runs


def write_scene(folder: Path) -> None:
    """The scene as golden cases: raw int8, and what exactly these integers mean, decoded."""
    raw = DecodeSpec(
        kind="yolov5",
        class_count=CLASSES,
        head="raw",
        strides=STRIDES,
        anchors=ANCHORS,
        outputs=tuple(HeadOutput(name=f"p{s}", role="predictions", stride=s) for s in STRIDES),
    )
    levels = logits(np.random.default_rng(1))
    outputs, rows = {}, []
    for output, level, stride, anchors in zip(raw.outputs, levels, STRIDES, ANCHORS, strict=True):
        cells = SIZE // stride
        flat = level.reshape(1, -1, cells, cells)
        outputs[output.name] = flat
        spec, stored = as_stored(output.name, flat, "int8", (0, 2, 3, 1))
        assert spec.quant is not None
        seen = dequantize(stored, spec.quant).reshape(cells * cells, len(anchors), 5 + CLASSES)
        rows.append(decoded(seen.transpose(1, 0, 2), stride, anchors))
    view = View(SIZE, SIZE, 0, 0, (0, 0, SIZE, SIZE))
    preprocess = PreprocessSpec(width=SIZE, height=SIZE)
    write_case(
        folder / "raw-int8", Head(raw, outputs), preprocess, "int8", view, False, transposed=True
    )
    own = DecodeSpec(
        kind="yolov5",
        class_count=CLASSES,
        outputs=(HeadOutput(name="output0", role="predictions"),),
    )
    whole = np.concatenate(rows)[None]
    assert whole.shape == (1, 25200, 85)
    best = (whole[0, :, 4:5] * whole[0, :, 5:]).max(axis=1)
    assert 200 < np.count_nonzero(best >= own.score_threshold) < 600
    head = Head(own, {"output0": whole})
    write_case(folder / "float", head, preprocess, "float32", view, False, transposed=False)


def logits(numbers: np.random.Generator) -> list[np.ndarray]:
    """Per stride [anchors, 5 + classes, h, w]: background, and objects that several cells see."""
    levels = []
    for stride, anchors in zip(STRIDES, ANCHORS, strict=True):
        cells = SIZE // stride
        level = numbers.normal(-6, 1, (len(anchors), 5 + CLASSES, cells, cells))
        level[:, :4] = numbers.normal(0, 1, (len(anchors), 4, cells, cells))
        level[:, 4] -= 2  # most of all, a detector says that there is nothing
        levels.append(level)
    for _ in range(OBJECTS):
        place = numbers.uniform(60, SIZE - 60, 2)
        size = numbers.choice([24, 48, 96, 192]) * numbers.uniform(0.7, 1.4, 2)
        class_id = int(numbers.integers(0, CLASSES))
        for level, stride, anchors in zip(levels, STRIDES, ANCHORS, strict=True):
            put(numbers, level, stride, np.array(anchors), place, size, class_id)
    return [level.astype(np.float32) for level in levels]


def put(
    numbers: np.random.Generator,
    level: np.ndarray,
    stride: int,
    anchors: np.ndarray,
    place: np.ndarray,
    size: np.ndarray,
    class_id: int,
) -> None:
    """An object, as YOLOv5 learns it: anchors not four times its size, the three nearest cells."""
    middle = place / stride
    column, row = middle.astype(int)
    aside, above = np.where(middle % 1 < 0.5, -1, 1)
    for at, anchor in enumerate(anchors):
        ratio = size / anchor
        if max(ratio.max(), (1 / ratio).max()) > 4:
            continue
        for x, y in ((column, row), (column + aside, row), (column, row + above)):
            box = np.concatenate([(middle - (x, y) + 0.5) / 2, np.sqrt(ratio) / 2])
            box = np.clip(box, 0.02, 0.98)
            level[at, :4, y, x] = np.log(box / (1 - box)) + numbers.normal(0, 0.1, 4)
            level[at, 4, y, x] = numbers.normal(1, 1)
            level[at, 5 + class_id, y, x] = numbers.normal(2, 0.5)


def decoded(values: np.ndarray, stride: int, anchors: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Rows of the model's own output, of [anchors, cells, 5 + classes] logits."""
    rows = sigmoid(values)
    cells = grid(SIZE, SIZE, stride)
    rows[..., :2] = (rows[..., :2] * 2 - 0.5 + cells) * stride
    rows[..., 2:4] = (rows[..., 2:4] * 2) ** 2 * np.array(anchors, np.float32)[:, None]
    return rows.reshape(-1, rows.shape[-1]).astype(np.float32)


if __name__ == "__main__":
    main()

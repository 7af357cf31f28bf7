"""Golden vectors: one frame and what every implementation must make of it.

    golden/golden.json       sizes, names and types of what follows, and the expected answers (of
                             boxes `detections`; see `Task.golden`)
    golden/frame.rgba.gz     the frame: RGBA bytes, rows without padding; for pictures
    golden/input-N.bin.gz    the expected input tensors
    golden/output-N.bin.gz   the expected outputs of the float model (ONNX Runtime)

Arrays are little-endian, in the ONNX model's order of axes.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.calibration.samples import Picture, Sample
from mobileq.manifest import to_json
from mobileq.parallel import in_parallel
from mobileq.spec import ModelSpec, Spec
from mobileq.targets.reference import ReferenceRunner
from mobileq.tasks.base import task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THREADS = 2
_LONGEST_SIDE = 320
"""The frame is scaled down to this, so that a bundle stays small."""


class GoldenArray(Spec, frozen=True, kw_only=True):
    """One array on disk."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str


class Golden(Spec, frozen=True, kw_only=True):
    """golden.json, beside the task's own entries. `rotation` is in degrees clockwise, to be applied
    to the frame first. Without a frame the inputs are what was given as finished tensors."""

    width: int = 0
    height: int = 0
    rotation: int = 0
    frame: str | None = None
    inputs: tuple[GoldenArray, ...]
    outputs: tuple[GoldenArray, ...]


def golden_files(spec: ModelSpec, onnx: Path, sample: Sample) -> dict[str, bytes]:
    """The golden vectors of one sample, by their paths; a picture is made smaller first.

    Args:
        onnx: The float model that `spec` is of.
    """
    from mobileq.vision.preprocess import feed_picture

    files: dict[str, bytes] = {}
    image = sample.pictures[0].image if sample.pictures else None
    golden, shown = Golden(inputs=(), outputs=()), sample
    if image is not None:
        frame = _frame(image)
        picture, transform = feed_picture(spec, frame)
        shown = Sample("frame", {**sample.feeds, **picture}, (Picture(frame, transform),))
        files["golden/frame.rgba.gz"] = _packed(_rgba(frame))
        height, width = frame.shape[:2]
        golden = msgspec.structs.replace(golden, width=width, height=height, frame="frame.rgba.gz")
    runner = ReferenceRunner(onnx, spec.inputs, spec.outputs)
    outputs = runner.run(shown.feeds)
    runner.close()
    golden = msgspec.structs.replace(
        golden, inputs=_add(files, "input", shown.feeds), outputs=_add(files, "output", outputs)
    )
    task = task_of(spec)
    answers = task.golden(task.read(outputs, shown, "shown"))
    files["golden/golden.json"] = to_json({**msgspec.to_builtins(golden), **answers})
    return files


def _frame(image: NDArray[Any]) -> NDArray[Any]:
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, wanted, interpolation=cv2.INTER_AREA) if scale < 1.0 else image


def _rgba(frame: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    opaque = np.full((*frame.shape[:2], 1), 255, np.uint8)
    return np.concatenate([frame, opaque], axis=2)


def _add(
    files: dict[str, bytes], kind: str, arrays: Mapping[str, NDArray[Any]]
) -> tuple[GoldenArray, ...]:
    told = []
    packed = in_parallel(lambda item: _packed(item[1]), arrays.items(), _THREADS)
    for at, ((name, array), content) in enumerate(packed):
        file = f"{kind}-{at}.bin.gz"
        files[f"golden/{file}"] = content
        told.append(GoldenArray(name=name, dtype=str(array.dtype), shape=array.shape, file=file))
    return tuple(told)


def _packed(array: NDArray[Any]) -> bytes:
    """Little-endian bytes, gzipped without a time stamp: same array, same bytes.

    Level 6 takes three times as long for 3 % less (outputs of a detector in float32).
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return gzip.compress(little.tobytes(), compresslevel=1, mtime=0)

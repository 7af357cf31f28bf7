"""What a runner can be asked, in Python's types. The other side is `Server.java`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mobileq.device.runner.packets import Lost
from mobileq.device.runner.process import RunnerProcess
from mobileq.external.framing import Arrays, Fields
from mobileq.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.vision.arrays import ByteArray

PROTOCOL = 1
"""Goes up with every change that the other side has to know of."""
Accelerator = Literal["cpu", "gpu", "nnapi"]
START_LIMIT_S = 60.0
"""For the first answer: a phone starts a Java in one second."""
OPEN_LIMIT_S = 600.0
"""A GPU compiles the kernels of a large model for minutes."""
RUN_LIMIT_S = 300.0
_OUTPUT, _ANSWER = "output ", "answer "


class Hello(Spec, frozen=True, kw_only=True):
    """What runs the runner. `pid` is 0 where nobody tells."""

    protocol: int
    pid: int
    java: str
    system: str
    processors: int


class Memory(Spec, frozen=True, kw_only=True):
    """Of the runner's process, bytes; 0 where nobody tells."""

    resident_bytes: int
    peak_bytes: int


class Loaded(Spec, frozen=True, kw_only=True):
    """A file that was loaded.

    Attributes:
        description: The runtime and what it was told to run on.
        load_ns: How long that took, with what a delegate prepares.
        takes_tensors: Whether it can be given finished tensors; else pictures alone.
        memory: Afterwards.
    """

    description: str
    load_ns: int
    takes_tensors: bool
    memory: Memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysed:
    """What came of one picture.

    Attributes:
        preprocess_ns: From the frame to the input tensor,
        inference_ns: the runtime alone,
        postprocess_ns: from the output tensors to the answer.
        outputs: As the file gives them, by the model's names; other integers than bytes as float32.
        answer: As the app would show it: of boxes `boxes` [N, 4] in pixels of the frame, `scores`
            and `class_ids`; of classes `scores` and `class_ids`, best first.
    """

    preprocess_ns: int
    inference_ns: int
    postprocess_ns: int
    outputs: Arrays
    answer: Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Benched:
    """Nanoseconds of one picture analysed again and again.

    Attributes:
        first: Of the very first time: int64 [3], preprocessing, inference, postprocessing.
        preprocess, inference, postprocess: Of those that count: int64 [runs].
    """

    first: NDArray[Any]
    preprocess: NDArray[Any]
    inference: NDArray[Any]
    postprocess: NDArray[Any]
    memory: Memory


class RunnerClient:
    """Asks one runner.

    Raises:
        Lost: It does not start, or is not one that this mobileq knows.
    """

    def __init__(self, process: RunnerProcess) -> None:
        self._process = process
        fields, _ = process.request("hello", {"protocol": PROTOCOL}, limit_s=START_LIMIT_S)
        if fields.get("protocol") != PROTOCOL:
            raise Lost(
                f"it speaks version {fields.get('protocol')} where this mobileq speaks {PROTOCOL}"
            )
        self.hello = _read(fields, Hello)

    def open(
        self, *, artifact: str, runtime: str, accelerator: Accelerator, threads: int
    ) -> Loaded:
        """Load one file of the bundle; what was loaded before goes.

        Args:
            artifact: `tflite-int8`.
            runtime: The Java class of a `ModelRuntime`.
            threads: On the CPU; 0: one for each processor.

        Raises:
            Refused: It can't be loaded, or not on that accelerator.
            Lost: As `RunnerProcess.request`, here and below.
        """
        fields = {
            "artifact": artifact,
            "runtime": runtime,
            "accelerator": accelerator,
            "threads": threads,
        }
        return _read(self._process.request("open", fields, limit_s=OPEN_LIMIT_S)[0], Loaded)

    def analyse(self, frame: ByteArray, rotation: int = 0) -> Analysed:
        """Analyse a picture, from its pixels on.

        Args:
            frame: uint8 [H, W, 3] RGB or [H, W, 4] RGBA.
            rotation: Degrees clockwise that make it upright.
        """
        _, arrays = self._process.request(
            "frame", {"rotation": rotation}, {"frame": _rgba(frame)}, limit_s=RUN_LIMIT_S
        )
        times = [int(each) for each in _taken(arrays, "times", 3)]
        return Analysed(
            preprocess_ns=times[0],
            inference_ns=times[1],
            postprocess_ns=times[2],
            outputs=_named(arrays, _OUTPUT),
            answer=_named(arrays, _ANSWER),
        )

    def run(self, tensors: Mapping[str, NDArray[Any]], runs: int = 1) -> tuple[Arrays, list[int]]:
        """(outputs, nanoseconds of each inference) of finished tensors.

        Args:
            tensors: By the inputs' names, in the file's types and order of axes.
        """
        _, arrays = self._process.request("tensors", {"runs": runs}, tensors, limit_s=RUN_LIMIT_S)
        return _named(arrays, _OUTPUT), [int(each) for each in _taken(arrays, "times", runs)]

    def bench(self, frame: ByteArray, *, warmup: int, runs: int, rotation: int = 0) -> Benched:
        """Analyse a picture `warmup` + `runs` times."""
        fields = {"rotation": rotation, "warmup": warmup, "runs": runs}
        answer, arrays = self._process.request(
            "bench", fields, {"frame": _rgba(frame)}, limit_s=OPEN_LIMIT_S
        )
        return Benched(
            first=_taken(arrays, "first", 3),
            preprocess=_taken(arrays, "preprocess", runs),
            inference=_taken(arrays, "inference", runs),
            postprocess=_taken(arrays, "postprocess", runs),
            memory=_read(answer.get("memory"), Memory),
        )

    def said(self) -> str:
        """What the runner printed."""
        return self._process.said()

    def close(self) -> None:
        """End the runner."""
        self._process.close()


def _rgba(frame: ByteArray) -> ByteArray:
    import numpy as np

    if frame.shape[2] == 4:
        return np.ascontiguousarray(frame)
    made = np.full((*frame.shape[:2], 4), 255, np.uint8)
    made[:, :, :3] = frame
    return made


def _read[T](fields: Fields | Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise Lost(f"its answer can't be read ({error})") from error


def _taken(arrays: Arrays, name: str, count: int) -> NDArray[Any]:
    found = arrays.get(name)
    if found is None or found.dtype != "<i8" or found.shape != (count,):
        raise Lost(f"its answer has no {count} numbers `{name}`")
    return found


def _named(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }

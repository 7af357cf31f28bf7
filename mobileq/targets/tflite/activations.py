"""Read every activation of a float .tflite file, for calibration; runs in the child process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import flatbuffer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ActivationReader:
    """An interpreter that keeps all its tensors."""

    def __init__(self, path: str, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        with warnings.catch_warnings():
            # "for debugging purposes only": reading every tensor is just what is wanted.
            warnings.simplefilter("ignore", UserWarning)
            self._interpreter = Interpreter(
                path,
                num_threads=threads,
                experimental_preserve_all_tensors=True,
                # A delegate keeps its tensors to itself.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        # Not the constants: ai-edge-quantizer 0.5.1 takes a range given for a weight as its only
        # one, and quantizes it per tensor instead of per channel.
        model = flatbuffer.read_model(Path(path))
        self._watched = frozenset(flatbuffer.activation_indices(model))

    def read(self, feeds: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """{tensor name: float array} after a run on `feeds`, in the file's order and axes."""
        for detail, array in zip(self._inputs, feeds, strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return dict(self._floats())

    def _floats(self) -> Iterator[tuple[str, NDArray[Any]]]:
        import numpy as np

        for detail in self._interpreter.get_tensor_details():
            if detail["dtype"] is np.float32 and detail["index"] in self._watched:
                try:
                    yield detail["name"], self._interpreter.get_tensor(detail["index"])
                except ValueError:  # a tensor without data: an op's scratch space
                    continue

"""Run ONNX files with ONNX Runtime on the CPU."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import InputError
from mobileq.onnx_runtime import open_session, session_options
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnnxRuntimeRunner:
    """A loaded ONNX model. See `mobileq.targets.base.Runner`."""

    def __init__(
        self,
        model: bytes | Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int = 0,
        *,
        optimized: bool = True,
    ) -> None:
        import onnxruntime

        options = session_options(threads, optimization="all" if optimized else "none")
        try:
            self._session = open_session(model, options)
        except Exception as error:  # its error types derive from Exception, one per status code
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise InputError(
                f"ONNX Runtime can't load the model: {reason}",
                "Check that the model runs in ONNX Runtime, or export it again.",
            ) from error
        self.inputs, self.outputs = inputs, outputs
        self.interpreter = f"onnxruntime {onnxruntime.__version__}"

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: array}, in the model's own types and axis order.

        Raises:
            InputError: ONNX Runtime does not run it on these inputs.
        """
        names = [output.name for output in self.outputs]
        try:
            results = self._session.run(names, dict(feeds))
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise InputError(
                f"ONNX Runtime can't run the model on the samples: {reason}",
                "Give it samples of your own with --calib.",
            ) from error
        return dict(zip(names, results, strict=True))

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` inferences."""
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self._session.run(None, dict(feeds))
            seconds.append(time.perf_counter() - start)
        return seconds[warmup:]

    def close(self) -> None:
        """Free the session."""
        del self._session

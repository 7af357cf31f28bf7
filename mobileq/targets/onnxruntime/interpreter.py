"""Run a .onnx file of the target's as an app would, in this process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import VerificationError
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors
from mobileq.targets.onnxruntime.kernels import open_as_phones_do

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OrtRunner:
    """A loaded file. See `mobileq.targets.base.Runner`.

    Unlike the reference it has all of ONNX Runtime's optimizers, right or wrong: what they make of
    the file on a phone is what has to agree with the model.
    """

    def __init__(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int = 0,
    ) -> None:
        import onnxruntime

        self.inputs, self.outputs, self._name = inputs, outputs, path.name
        self.interpreter = f"onnxruntime {onnxruntime.__version__}"
        try:
            self._session = open_as_phones_do(path, threads)
        except Exception as error:  # its error types derive from Exception, one per status code
            raise self._failure("loaded", error) from error

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: array}. See `Runner.run`."""
        names = [output.name for output in self.outputs]
        return dict(zip(names, self._run(names, feeds), strict=True))

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` inferences."""
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self._run(None, feeds)
            seconds.append(time.perf_counter() - start)
        return seconds[warmup:]

    def _run(self, names: list[str] | None, feeds: Tensors) -> list[NDArray[Any]]:
        try:
            return self._session.run(names, feeds)
        except Exception as error:
            raise self._failure("run", error) from error

    def _failure(self, what: str, error: Exception) -> VerificationError:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return VerificationError(
            f"{self._name} can't be {what} by {self.interpreter}: {reason}",
            "Use another precision, or report the model.",
        )

    def close(self) -> None:
        """Free the session."""
        del self._session

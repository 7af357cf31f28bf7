"""Run a .onnx file of the target's as an app would, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import VerificationError
from mobileq.onnx_runtime import SessionError, runtime_name
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors
from mobileq.targets.onnxruntime.kernels import open_as_phones_do, open_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OrtRunner:
    """A loaded file. See `mobileq.targets.base.Runner`.

    Unlike the reference it has all of ONNX Runtime's optimizers, right or wrong: what they make of
    the file on a phone is what has to agree with the model.

    Args:
        inside: `outputs` are tensors from anywhere in the graph.
    """

    def __init__(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int = 0,
        inside: bool = False,
    ) -> None:
        self.inputs, self.outputs, self._name = inputs, outputs, path.name
        self.interpreter = runtime_name()
        try:
            if inside:
                self._session = open_inside(path, [each.name for each in outputs], threads)
            else:
                self._session = open_as_phones_do(path, threads)
        except SessionError as error:
            raise self._failure("loaded", error.reason) from error

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: array}. See `Runner.run`."""
        names = [output.name for output in self.outputs]
        try:
            return dict(zip(names, self._session.run(names, feeds), strict=True))
        except SessionError as error:
            raise self._failure("run", error.reason) from error

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` inferences."""
        try:
            return self._session.latency(feeds, runs, warmup)
        except SessionError as error:
            raise self._failure("run", error.reason) from error

    def _failure(self, what: str, reason: str) -> VerificationError:
        return VerificationError(
            f"{self._name} can't be {what} by {self.interpreter}: {reason}",
            "Use another precision, or report the model.",
        )

    def close(self) -> None:
        """Free the session."""
        self._session.close()

"""What every converted file is compared with: the ONNX model in ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.onnx_runtime import SessionOptions, open_session, runtime_name
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reference_name() -> str:
    """The runtime and its version."""
    return runtime_name()


class ReferenceRunner:
    """A loaded ONNX model. See `mobileq.targets.base.Runner`.

    Args:
        threads: 0 for one for each processor.
        optimized: False for other kernels, which take sums in another order.

    Raises:
        InputError: ONNX Runtime can't load the model.
    """

    def __init__(
        self,
        model: bytes | Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int = 0,
        *,
        optimized: bool = True,
    ) -> None:
        options = SessionOptions(threads=threads, optimization="all" if optimized else "none")
        self._session = open_session(model, options)
        self.inputs, self.outputs = inputs, outputs
        self.interpreter = reference_name()

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: array}, in the model's own types and axis order.

        Raises:
            InputError: ONNX Runtime does not run it on these inputs.
        """
        names = [output.name for output in self.outputs]
        return dict(zip(names, self._session.run(names, feeds), strict=True))

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` inferences."""
        return self._session.latency(feeds, runs, warmup)

    def close(self) -> None:
        """Free the session."""
        self._session.close()

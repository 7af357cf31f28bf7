"""Run a .mnn file in this process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import VerificationError
from mobileq.paths import native_path
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MnnRunner:
    """A loaded .mnn file. See `mobileq.targets.base.Runner`.

    Give it a child process (`mobileq.targets.hosted`): MNN aborts on a wrong file.

    Tensors go in and come out through host tensors in the model's own order of axes; MNN converts
    to and from the blocks of four channels that it computes in.

    Args:
        inside: `outputs` are tensors from anywhere in the graph.
    """

    def __init__(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int,
        inside: bool = False,
    ) -> None:
        import MNN

        self._mnn = MNN
        self.inputs, self.outputs = inputs, outputs
        self.interpreter = f"MNN {MNN.version()}"
        self._interpreter = MNN.Interpreter(native_path(path))
        config: dict[str, Any] = {"numThread": threads}
        if inside:
            config["saveTensors"] = tuple(_file_name(spec) for spec in outputs)
        self._session = self._interpreter.createSession(config)
        self._inputs = self._interpreter.getSessionInputAll(self._session)
        self._outputs = self._interpreter.getSessionOutputAll(self._session)
        for name in config.get("saveTensors", ()):
            self._outputs[name] = self._interpreter.getSessionOutput(self._session, name)
        for wanted, found, what in (
            (inputs, self._inputs, "input"),
            (outputs, self._outputs, "output"),
        ):
            for spec in wanted:
                if _file_name(spec) not in found:
                    raise VerificationError(
                        f"{path.name} has no {what} {_file_name(spec)!r}.", "Convert it again."
                    )

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: array in the model's axis order}. See `Runner.run`."""
        self._feed(feeds)
        self._interpreter.runSession(self._session)
        return {spec.name: self._read(self._outputs[_file_name(spec)]) for spec in self.outputs}

    def _feed(self, feeds: Tensors) -> None:
        import numpy as np

        for spec in self.inputs:
            tensor = self._inputs[_file_name(spec)]
            array = np.ascontiguousarray(feeds[spec.name], dtype_name(tensor.getDataType()))
            tensor.copyFrom(self._host(array.shape, tensor, array))

    def _read(self, tensor: Any) -> NDArray[Any]:
        import numpy as np

        shape = tuple(tensor.getShape())
        host = self._host(shape, tensor, np.empty(shape, dtype_name(tensor.getDataType())))
        tensor.copyToHostTensor(host)
        # A copy: the memory goes with the host tensor.
        return np.array(host.getNumpyData()).reshape(shape)

    def _host(self, shape: tuple[int, ...], tensor: Any, array: NDArray[Any]) -> Any:
        order = self._mnn.Tensor_DimensionType_Caffe
        if tensor.getDimensionType() == self._mnn.Tensor_DimensionType_Tensorflow:
            order = self._mnn.Tensor_DimensionType_Tensorflow
        return self._mnn.Tensor(shape, tensor.getDataType(), array, order)

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` inferences."""
        self._feed(feeds)
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self._interpreter.runSession(self._session)
            seconds.append(time.perf_counter() - start)
        return seconds[warmup:]

    def close(self) -> None:
        """Free the session."""
        self._inputs, self._outputs = {}, {}
        self._session = self._interpreter = None


def _file_name(spec: TensorSpec) -> str:
    return spec.artifact_name or spec.name


def dtype_name(halide_type: Any) -> str:
    """NumPy's name of one of MNN's data types."""
    import MNN

    known = {
        MNN.Halide_Type_Float: "float32",
        MNN.Halide_Type_Int: "int32",
        MNN.Halide_Type_Uint8: "uint8",
        MNN.Halide_Type_Int64: "int64",
    }
    return known.get(halide_type, "unknown")

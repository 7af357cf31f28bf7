"""Run a .tflite file in this process, with whichever of the two interpreters is there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import MissingDependencyError, UsageError, VerificationError
from mobileq.paths import native_path
from mobileq.spec import TensorSpec
from mobileq.targets.base import Tensors
from mobileq.targets.tflite.layout import inverse
from mobileq.vision.preprocess import dequantize, quantize

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERPRETERS = ("ai_edge_litert", "tensorflow")


def make_interpreter(
    path: Path, threads: int, which: str = "auto", *, inside: bool = False
) -> tuple[Any, str]:
    """(interpreter, its name and version); `which` is "auto" or one of `INTERPRETERS`.

    "auto" takes `ai_edge_litert` where it is installed: it starts in milliseconds.

    Args:
        inside: Keep all tensors to be looked at, by TFLite's own kernels: XNNPACK has no memory
            for those between the ops that it joins.
    """
    candidates = INTERPRETERS if which == "auto" else (which,)
    for name in candidates:
        try:
            if name == "ai_edge_litert":
                from importlib.metadata import version

                import ai_edge_litert.interpreter as runtime

                made, told = runtime.Interpreter, f"{name} {version(name)}"
                own = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            elif name == "tensorflow":
                import tensorflow

                made = tensorflow.lite.Interpreter
                told = f"tf.lite.Interpreter {tensorflow.__version__}"
                own = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            else:
                raise UsageError(
                    f"There is no interpreter {name!r}.", f"Choose of: {', '.join(INTERPRETERS)}."
                )
        except ImportError:
            continue
        options: dict[str, Any] = {}
        if inside:
            options = {
                "experimental_op_resolver_type": own,
                "experimental_preserve_all_tensors": True,
            }
        return made(native_path(path), num_threads=threads, **options), told
    raise MissingDependencyError(
        f"No TFLite interpreter is installed ({' or '.join(candidates)}).",
        "Install one: pip install ai-edge-litert==2.1.2, or pip install 'mobileq[tensorflow]'.",
    )


class TfliteRunner:
    """A loaded .tflite file. See `mobileq.targets.base.Runner`.

    Give it a child process (`mobileq.targets.hosted`) for files that nobody has checked: a wrong
    file makes the interpreter read out of bounds or abort.

    Args:
        inside: `outputs` are tensors from anywhere in the graph.
    """

    def __init__(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int,
        interpreter: str = "auto",
        inside: bool = False,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        try:
            self._interpreter, self.interpreter = make_interpreter(
                path, threads, interpreter, inside=inside
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _does_not_load(path, error) from error
        # By position: the specs were read from the file in its own order.
        self._input_details = self._interpreter.get_input_details()
        self._output_details = self._interpreter.get_output_details()
        if inside:
            by_name = {each["name"]: each for each in self._interpreter.get_tensor_details()}
            self._output_details = [by_name[spec.artifact_name] for spec in outputs]

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """{output name: float32 array in the model's axis order}. See `Runner.run`."""
        self._feed(feeds)
        self._invoke()
        return {
            spec.name: self._read(spec, detail["index"])
            for spec, detail in zip(self.outputs, self._output_details, strict=True)
        }

    def _feed(self, feeds: Tensors) -> None:
        import numpy as np

        for spec, detail in zip(self.inputs, self._input_details, strict=True):
            array = feeds[spec.name]
            if spec.permutation:
                array = array.transpose(spec.permutation)
            if spec.quant and spec.dtype != str(array.dtype):
                array = quantize(array, spec.quant, spec.dtype)
            # Not np.ascontiguousarray, which makes a scalar [1].
            self._interpreter.set_tensor(detail["index"], np.asarray(array, order="C"))

    def _invoke(self) -> None:
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise VerificationError(
                f"The TFLite file loads but does not run: {reason}",
                "Try --engine tensorflow, or another precision.",
            ) from error

    def _read(self, spec: TensorSpec, index: int) -> NDArray[Any]:
        try:
            array: NDArray[Any] = self._interpreter.get_tensor(index)
        except ValueError as error:
            raise VerificationError(
                f"The TFLite file runs but gives no {spec.name!r}: {error}",
                "Try --engine tensorflow, or fix the inputs that shapes depend on with --set.",
            ) from error
        if spec.quant:
            array = dequantize(array, spec.quant)
        return array.transpose(inverse(spec.permutation)) if spec.permutation else array

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` invocations."""
        self._feed(feeds)
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self._invoke()
            seconds.append(time.perf_counter() - start)
        return seconds[warmup:]

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None


def _does_not_load(path: Path, error: Exception) -> VerificationError:
    reason = " ".join(str(error).split())[:300]
    return VerificationError(
        f"{path.name} does not load in the TFLite interpreter: {reason}",
        "Convert it again, with another precision or --engine tensorflow.",
    )

"""A file of a bundle that runs elsewhere, behind the door that every runner stands behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.android.runtimes import RUNTIMES
from mobileq.device.runner.client import Accelerator, Analysed, Benched, Loaded, RunnerClient
from mobileq.device.runner.delegation import Delegation, delegations
from mobileq.device.runner.packets import Lost
from mobileq.device.runner.process import Refused, RunnerProcess
from mobileq.errors import DeviceError, UsageError, VerificationError
from mobileq.external.framing import Arrays
from mobileq.logfile import log_path
from mobileq.progress import tell
from mobileq.spec import Artifact, PreprocessSpec, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.vision.arrays import ByteArray

_PATIENCE_S = 60.0
"""How long a place that went away is waited for."""
_PIXELS = "pixels"
"""The input's name where a runtime scales pixels itself: see `Pipeline.java`."""
Tensors = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True, kw_only=True)
class RunnerPlace:
    """Where a runner runs.

    Attributes:
        name: In sentences: "Pixel 8 (38021FDJ)".
        command: What starts it with a bundle, its stdin and stdout being ours.
        log: What the system's log there has of a process, by its number; None where it prints
            to stderr.
        is_back: Waits for a place that went away, so many seconds at most.
        otherwise: Another way to run there, where this one does not start;
        remedy: what a person can do to have one, before more is said.
    """

    name: str
    command: tuple[str, ...]
    log: Callable[[int], str] | None = None
    is_back: Callable[[float], bool] | None = None
    otherwise: Callable[[], RunnerPlace] | None = None
    remedy: str = ""


class RemoteRunner:
    """One artifact, loaded on one accelerator. See `mobileq.targets.base.Runner`.

    A runner that is killed, or hangs, is started again, and what it was asked for is asked once
    more: it costs one picture's time.

    Args:
        threads: On the CPU; 0: one for each processor.
        preprocess: How the model wants its picture, for runtimes that scale pixels themselves.

    Raises:
        UsageError: Nothing there runs the artifact's target.
        DeviceError: The runner does not start, or its place went away.
        VerificationError: It can't load the file, or ends over it.
    """

    def __init__(
        self,
        place: RunnerPlace,
        artifact: Artifact,
        accelerator: Accelerator = "cpu",
        threads: int = 0,
        preprocess: PreprocessSpec | None = None,
    ) -> None:
        runtime = RUNTIMES.get(artifact.target)
        if runtime is None:
            raise UsageError(
                f"The runner has nothing to run {artifact.name} with.",
                f"Choose files of {' or '.join(RUNTIMES)}.",
            )
        self.inputs, self.outputs = artifact.inputs, artifact.outputs
        self.restarts = 0
        self._place, self._artifact, self._preprocess = place, artifact, preprocess
        self._runtime, self._accelerator, self._threads = runtime, accelerator, threads
        self._client: RunnerClient | None = None
        self.loaded: Loaded = self._again(lambda client: self.loaded)
        self.interpreter = f"{self.loaded.description}, {place.name}"

    @property
    def place(self) -> RunnerPlace:
        """Where it runs, and how it was started."""
        return self._place

    @property
    def delegations(self) -> tuple[Delegation, ...]:
        """What delegates took of the model, as TFLite says in the log; empty on plain kernels."""
        client = self._opened()
        log = self._place.log
        return delegations(client.said() if log is None else log(client.hello.pid))

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """See `Runner.run`; here too integers become real values at this end."""
        tensors = self._stored(feeds)
        outputs, _ = self._again(lambda client: client.run(tensors))
        return self._real(outputs)

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """See `Runner.latency`; measured where it runs."""
        tensors = self._stored(feeds)
        _, nanos = self._again(lambda client: client.run(tensors, warmup + runs))
        return [each / 1e9 for each in nanos[warmup:]]

    def analyse(
        self, frame: ByteArray, rotation: int = 0
    ) -> tuple[dict[str, NDArray[Any]], Analysed]:
        """(outputs as `run` gives them, all that came) of a picture: see `RunnerClient.analyse`."""
        found = self._again(lambda client: client.analyse(frame, rotation))
        return self._real(found.outputs), found

    def bench(self, frame: ByteArray, *, warmup: int, runs: int) -> Benched:
        """See `RunnerClient.bench`."""
        return self._again(lambda client: client.bench(frame, warmup=warmup, runs=runs))

    def close(self) -> None:
        """End the runner."""
        if self._client is not None:
            client, self._client = self._client, None
            client.close()

    def _again[T](self, ask: Callable[[RunnerClient], T]) -> T:
        """Ask; where the runner is lost over it, start another and ask that."""
        lost: Lost | None = None
        for _ in range(2):
            try:
                return ask(self._opened())
            except Lost as error:
                self.close()
                if lost is None:
                    tell(f"The runner on {self._place.name} was lost ({error}); it starts again.")
                    self.restarts += 1
                    self._wait()
                lost = error
            except Refused as error:
                raise self._refused(error) from error
        raise VerificationError(
            f"{self._artifact.name} ended the runner on {self._place.name} twice, on the "
            f"{self._accelerator.upper()}: {lost}.",
            f"Try another delegate; {log_path()} has what it printed.",
        ) from lost

    def _wait(self) -> None:
        """For a place that is not there: a cable was pulled out."""
        if self._place.is_back is not None and not self._place.is_back(_PATIENCE_S):
            raise DeviceError(
                f"{self._place.name} went away.", "Plug it in again, and repeat the command."
            )

    def _opened(self) -> RunnerClient:
        if self._client is None:
            client = self._started()
            try:
                self.loaded = client.open(
                    artifact=self._artifact.name,
                    runtime=self._runtime.java_class,
                    accelerator=self._accelerator,
                    threads=self._threads,
                )
            except BaseException:
                client.close()
                raise
            self._client = client
        return self._client

    def _started(self) -> RunnerClient:
        process = None
        try:
            process = RunnerProcess(self._place.command)
            return RunnerClient(process)
        except BaseException as error:
            if process is not None:
                process.close()
            if not isinstance(error, Lost):
                raise
            if self._place.otherwise is not None and not self.restarts:
                tell(
                    f"The runner does not start on {self._place.name} ({error}); as an app it may."
                )
                self._place = self._place.otherwise()
                return self._started()
            raise DeviceError(
                f"The runner does not start on {self._place.name}: {error}.",
                f"{self._place.remedy}{log_path()} has what it printed.",
            ) from error

    def _refused(self, error: Refused) -> VerificationError:
        hints = {
            "backend": "Choose another delegate, or another file.",
            "bundle": "Push the bundle again.",
            "memory": "Close apps on the phone, or choose a smaller file.",
        }
        self.close()
        return VerificationError(
            f"{self._artifact.name} does not run on {self._place.name} "
            f"({self._accelerator.upper()}): {str(error).rstrip('.')}.",
            hints.get(error.kind, "Push the runner again: it may be of another mobileq."),
        )

    def _stored(self, feeds: Tensors) -> Arrays:
        """In the types and the order of axes that the file has."""
        import numpy as np

        from mobileq.vision.preprocess import exact_pixels, quantize

        if not self.loaded.takes_tensors and self._preprocess is not None:
            try:
                return {_PIXELS: exact_pixels(feeds[self.inputs[0].name], self._preprocess)}
            except ValueError as error:
                raise VerificationError(
                    f"{self._artifact.name} takes pictures on {self._place.name}, and {error}.",
                    "Give pictures, not arrays.",
                ) from error
        stored = {}
        for spec in self.inputs:
            array = feeds[spec.name]
            if spec.permutation:
                array = array.transpose(spec.permutation)
            if spec.quant and spec.dtype != str(array.dtype):
                array = quantize(array, spec.quant, spec.dtype)
            stored[spec.name] = np.ascontiguousarray(array, np.dtype(spec.dtype).newbyteorder("<"))
        return stored

    def _real(self, outputs: Arrays) -> dict[str, NDArray[Any]]:
        return {spec.name: _real(spec, self._output(outputs, spec)) for spec in self.outputs}

    def _output(self, outputs: Arrays, spec: TensorSpec) -> NDArray[Any]:
        found = outputs.get(spec.name)
        if found is None or found.shape != spec.shape:
            raise DeviceError(
                f"The runner on {self._place.name} gave no {spec.name!r} of shape "
                f"{list(spec.shape)}.",
                "Push the bundle again.",
            )
        return found


def _real(spec: TensorSpec, array: NDArray[Any]) -> NDArray[Any]:
    """In the model's order of axes; bytes that have a scale become real values, wider integers are
    so already."""
    import numpy as np

    from mobileq.vision.preprocess import dequantize

    if spec.quant and array.dtype.itemsize == 1:
        array = dequantize(array, spec.quant)
    elif not spec.quant and str(array.dtype) != spec.dtype:
        array = array.astype(spec.dtype)
    return array.transpose(np.argsort(spec.permutation)) if spec.permutation else array

"""How every session of ONNX Runtime is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mobileq.external.inside import is_child
from mobileq.onnx_runtime.hosted import Guest, Held, HostedSession, kept_child
from mobileq.onnx_runtime.session import LocalSession, SessionError, SessionOptions, as_file
from mobileq.staging import temporary_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = [
    "Guest",
    "Held",
    "Session",
    "SessionError",
    "SessionOptions",
    "hold",
    "kept_child",
    "open_session",
    "runtime_name",
]


class Session(Protocol):
    """A model that is loaded. Its runs may come from several threads at a time."""

    output_names: tuple[str, ...]

    def run(
        self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any] | Held]
    ) -> list[Any]:
        """The outputs of these names, or all: arrays, not to be written to. In place of sequences
        there may be None.

        Raises:
            SessionError: ONNX Runtime fails to run it on these.
            InputError: It takes too much memory.
            ToolError: ONNX Runtime crashed.
        """
        ...

    def latency(self, feeds: Mapping[str, NDArray[Any]], runs: int, warmup: int) -> list[float]:
        """Seconds of each of `runs` runs that follow `warmup` others. Raises as `run`."""
        ...

    def close(self) -> None:
        """Free it. Where nobody does, that happens some time after the last use."""
        ...


def runtime_name() -> str:
    """ONNX Runtime and its version, as reports name what ran a file."""
    return f"onnxruntime {version('onnxruntime')}"


def hold(arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any] | Held]:
    """What many runs are fed with, sent once to where sessions are; it is kept there as long as
    the result is here."""
    return arrays if is_child() else {name: Held(array) for name, array in arrays.items()}


def open_session(model: ModelProto | bytes | Path, options: SessionOptions) -> Session:
    """A session on the CPU, in a child process (`hosted`) unless this is one.

    Raises:
        SessionError: ONNX Runtime can't load the model.
        InputError: It takes too much memory.
        ToolError: ONNX Runtime crashed.
    """
    if not is_child():
        return HostedSession(model, options)
    if isinstance(model, (bytes, Path)):
        return LocalSession(model, options)
    with temporary_folder() as folder, as_file(model, folder) as path:
        return LocalSession(path, options)

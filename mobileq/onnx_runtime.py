"""How every session of ONNX Runtime is opened."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_ERRORS_ONLY: Final = 3
_FATAL_ONLY: Final = 4
_WRONG_OPTIMIZERS: Final = ["Pad_Fusion"]
"""It makes zeros around a max pooling the pooling's own padding, which is no value at all (1.26,
1.31). Behind a SiLU, where all values may be negative, YOLOv3-tiny's boxes were 49 pixels off."""


_PATIENCE_S: Final = 1.0


def session_options(
    threads: int = 0,
    *,
    keep_pairs: bool = False,
    optimization: Literal["all", "basic", "none"] = "all",
    readers_first: bool = False,
    fatal_only: bool = False,
) -> Any:
    """`SessionOptions` that log errors only.

    Args:
        threads: For one op; 0 for all.
        keep_pairs: Of QuantizeLinear and DequantizeLinear no integer ops are made, whose roundings
            are others.
        optimization: "none": other kernels, which take sums in another order.
        readers_first: Cheap ops run right after what they read, which is still in the cache then.
        fatal_only: Where the caller says itself what is wrong.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY if fatal_only else _ERRORS_ONLY
    options.intra_op_num_threads = threads
    if optimization != "all":
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = (
            levels.ORT_ENABLE_BASIC if optimization == "basic" else levels.ORT_DISABLE_ALL
        )
    if readers_first:
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    if keep_pairs:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


class Session:
    """An `InferenceSession` whose runs Ctrl-C ends.

    Python handles signals between two steps of the main thread, which a run of minutes never
    reaches: the main thread's runs are done by another, for which it waits. That costs some 40
    microseconds a run. Ctrl-C then stops the run before its next op.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.output_names: tuple[str, ...] = tuple(each.name for each in session.get_outputs())

    def run(
        self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """The outputs of these names, or all. Its errors are ONNX Runtime's own."""
        if threading.current_thread() is not threading.main_thread():
            return self._run(names, feeds, None)
        import onnxruntime

        options = onnxruntime.RunOptions()
        future = _elsewhere(lambda: self._run(names, feeds, options))
        try:
            return future.result()
        except BaseException:
            if not future.done():
                options.terminate = True
                # One op may take minutes: then the thread is left alone, and ends with the process.
                _wait(future, _PATIENCE_S)
            raise

    def _run(
        self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]], options: Any
    ) -> list[NDArray[Any]]:
        results: list[NDArray[Any]] = self._session.run(names, dict(feeds), options)
        return results


def open_session(
    model: ModelProto | bytes | Path, options: Any, *, as_shipped: bool = False
) -> Session:
    """A session on the CPU; its errors are ONNX Runtime's own.

    Args:
        as_shipped: With the optimizers that are known to be wrong: as an app opens a file.
    """
    import onnxruntime

    if isinstance(model, Path):
        source: str | bytes = str(model)
        if not source.isascii() and "\\udc" in ascii(source):  # a name that is no valid Unicode
            source = model.read_bytes()
    else:
        source = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(
        source,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=None if as_shipped else _WRONG_OPTIMIZERS,
    )
    return Session(session)


_work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
_worker: threading.Thread | None = None


def _elsewhere[T](function: Callable[[], T]) -> Future[T]:
    """In a thread that is kept: one for each run would take memory from an arena of its own.

    It is no executor's, which Python waits for at its end.
    """
    global _worker
    if _worker is None or not _worker.is_alive():
        _worker = threading.Thread(target=_serve, name="onnxruntime", daemon=True)
        _worker.start()
    future: Future[T] = Future()
    _work.put((future, function))
    return future


def _serve() -> None:
    while True:
        future, function = _work.get()
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)
        del future, function  # or the last feeds and outputs would be kept until the next run


def _wait(future: Future[Any], seconds: float) -> None:
    """Until it is done, or for so long; without its error."""
    from concurrent.futures import wait

    wait([future], seconds)

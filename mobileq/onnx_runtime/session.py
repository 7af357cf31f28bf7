"""A session of ONNX Runtime in this process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from mobileq.errors import InputError
from mobileq.protobuf import write_model

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_ERRORS_ONLY: Final = 3
_FATAL_ONLY: Final = 4
_WRONG_OPTIMIZERS: Final = ["Pad_Fusion"]
"""It makes zeros around a max pooling the pooling's own padding, which is no value at all (1.26,
1.31). Behind a SiLU, where all values may be negative, YOLOv3-tiny's boxes were 49 pixels off."""

_FOR_ONE_PROCESSOR: Final = ["NchwcTransformer"]


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is loaded.

    Attributes:
        threads: For one op; 0 for all.
        keep_pairs: Of QuantizeLinear and DequantizeLinear no integer ops are made, whose roundings
            are others.
        optimization: "none": other kernels, which take sums in another order.
        readers_first: Cheap ops run right after what they read, which is still in the cache then.
        fatal_only: Where the caller says itself what is wrong.
        as_shipped: With the optimizers that are known to be wrong: as an app opens a file.
        entries: What else ONNX Runtime's session config has, by key and value.
        optimized_to: A file for the model as the optimizers leave it; in ONNX Runtime's own format
            where its name ends in .ort, and then without what is for one processor.
    """

    threads: int = 0
    keep_pairs: bool = False
    optimization: Literal["all", "extended", "basic", "none"] = "all"
    readers_first: bool = False
    fatal_only: bool = False
    as_shipped: bool = False
    entries: tuple[tuple[str, str], ...] = ()
    optimized_to: str | None = None


class SessionError(InputError):
    """ONNX Runtime refuses a model, or fails to run it; `reason` is its own first line."""

    def __init__(self, reason: str, *, loading: bool) -> None:
        self.reason, self.loading = reason, loading
        if loading:
            super().__init__(
                f"ONNX Runtime can't load the model: {reason}",
                "Check that the model runs in ONNX Runtime, or export it again.",
            )
        else:
            super().__init__(
                f"ONNX Runtime can't run the model on the samples: {reason}",
                "Give it samples of your own with --calib.",
            )


@contextmanager
def as_file(model: ModelProto | bytes | Path, folder: Path) -> Iterator[Path]:
    """The model as a file, while it is loaded; of one that is made for that in `folder` errors
    within the block don't tell.

    ONNX Runtime reads it with one copy of its weights less than it does bytes.
    """
    if isinstance(model, Path):
        yield model.absolute()
        return
    path = folder / f"{secrets.token_hex(8)}.onnx"
    try:
        if isinstance(model, bytes):
            path.write_bytes(model)
        else:
            write_model(model, path)
        yield path
    except SessionError as error:
        raise SessionError(error.reason.replace(f" from {path}", ""), loading=True) from error
    finally:
        path.unlink(missing_ok=True)


class LocalSession:
    """What `open_session` gives. A long run, and the loading, are not ended by Ctrl-C.

    Raises:
        SessionError: ONNX Runtime can't load the model.
    """

    def __init__(self, model: bytes | Path, options: SessionOptions) -> None:
        import onnxruntime

        source: str | bytes = model if isinstance(model, bytes) else str(model)
        if isinstance(model, Path) and "\\udc" in ascii(source):  # a name that is no valid Unicode
            source = model.read_bytes()
        try:
            self._session = onnxruntime.InferenceSession(
                source,
                _native(options),
                providers=["CPUExecutionProvider"],
                disabled_optimizers=None if options.as_shipped else _left_out(options),
            )
        except MemoryError:
            raise
        except Exception as error:  # a dozen types derive from Exception, one per status code
            raise SessionError(_reason(error), loading=True) from error
        self.output_names: tuple[str, ...] = tuple(x.name for x in self._session.get_outputs())

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        """See `Session.run`."""
        try:
            results: list[Any] = self._session.run(names, dict(feeds))
        except MemoryError:
            raise
        except Exception as error:
            raise SessionError(_reason(error), loading=False) from error
        return results

    def run_in_place(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, dense arrays, where ONNX Runtime made them: nothing is copied, here
        nor where they are fed to another session. Raises as `Session.run`."""
        from onnxruntime import OrtValue

        try:
            given = {name: OrtValue.ortvalue_from_numpy(each) for name, each in feeds.items()}
            found = self._session.run_with_ort_values(None, given)
        except MemoryError:
            raise
        except Exception as error:
            raise SessionError(_reason(error), loading=False) from error
        return {name: each.numpy() for name, each in zip(self.output_names, found, strict=True)}

    def latency(self, feeds: Mapping[str, NDArray[Any]], runs: int, warmup: int) -> list[float]:
        """See `Session.latency`."""
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self.run(None, feeds)
            seconds.append(time.perf_counter() - start)
        return seconds[warmup:]

    def close(self) -> None:
        """Free it."""
        del self._session


def _left_out(chosen: SessionOptions) -> list[str]:
    own_format = (chosen.optimized_to or "").endswith(".ort")
    return [*_WRONG_OPTIMIZERS, *_FOR_ONE_PROCESSOR] if own_format else _WRONG_OPTIMIZERS


def _native(chosen: SessionOptions) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY if chosen.fatal_only else _ERRORS_ONLY
    options.intra_op_num_threads = chosen.threads
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = {
        "all": levels.ORT_ENABLE_ALL,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "basic": levels.ORT_ENABLE_BASIC,
        "none": levels.ORT_DISABLE_ALL,
    }[chosen.optimization]
    if chosen.readers_first:
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    if chosen.keep_pairs:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    for key, value in chosen.entries:
        options.add_session_config_entry(key, value)
    if chosen.optimized_to is not None:
        options.optimized_model_filepath = chosen.optimized_to
    return options


def _reason(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

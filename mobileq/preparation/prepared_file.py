"""`prepare` in a child process, whose result is files: what a strange model does to ONNX's checker,
onnxslim or ONNX Runtime (hours, gigabytes, a crash) stays there, and Ctrl-C ends it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from mobileq.errors import InputError
from mobileq.external import memory
from mobileq.external.child import Child
from mobileq.external.framing import Arrays, Fields
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.protobuf import write_model
from mobileq.spec import ModelSpec, Spec

MODEL_NAME: Final = "model.onnx"
QUANTIZED_NAME: Final = "quantized.onnx"

_CPU_SECONDS = 3600
_TOOL = "ONNX Runtime"
_waiting: list[Child] = []
"""Children that are expected to prepare a model."""


class PreparedFile(Spec, frozen=True, kw_only=True):
    """All of a `PreparedModel` but the graphs, which are files.

    `file_ops` and `file_tensors` count ops and types of tensors of the file as it was given.
    """

    spec: ModelSpec
    opset: int
    source_sha256: str
    notices: tuple[str, ...]
    given: GivenQuantization | None
    set_inputs: dict[str, str]
    file_ops: dict[str, int]
    file_tensors: dict[str, int]


def prepare_file(
    folder: Path,
    path: Path,
    input_shapes: Iterable[str] = (),
    family: str | None = None,
    spec_file: Path | None = None,
    labels: str | None = None,
    constants: Iterable[str] = (),
    meanwhile: Callable[[], None] = lambda: None,
) -> PreparedFile:
    """Prepare a model in a child. Writes `MODEL_NAME`, and `QUANTIZED_NAME` of a quantized one.

    Args:
        folder: Where to.
        path, input_shapes, family, spec_file, labels, constants: As `prepare`'s.
        meanwhile: Is called once the child has begun, and is to return soon.

    Raises:
        UsageError, InputError: As `prepare`; also where the model takes too much memory.
        ToolError: ONNX's checker, onnxslim or ONNX Runtime crashed on it, or found no end.
    """
    fields = {
        "folder": str(folder),
        "path": str(path),
        "input_shapes": list(input_shapes),
        "family": family,
        "spec_file": None if spec_file is None else str(spec_file),
        "labels": labels,
        "constants": list(constants),
    }
    with _waiting.pop() if _waiting else _child() as child:
        child.turn_to(f"preparing {path.name}", _TOOL)
        meanwhile()
        answer = child.request("prepare", fields)[0]
    return msgspec.convert(answer, PreparedFile)


@contextmanager
def expected() -> Iterator[None]:
    """Within the block one `prepare_file` finds its child there. It imports what it needs while who
    calls imports what comes after, on the other core: that is .3 s of yolov5n's 2."""
    child = _child()
    _waiting.append(child)
    child.prompt("get_ready")
    try:
        yield
    finally:
        not_needed()


def not_needed() -> None:
    """End the child that is expected, if nobody took it."""
    while _waiting:
        _waiting.pop().close()


def _child() -> Child:
    return Child(
        "mobileq.preparation.prepared_file:PrepareHandler",
        stage="getting ready",
        tool=_TOOL,
        advice="Export the model again, or with another opset.",
    )


class PrepareHandler:
    """The child's side."""

    def get_ready(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Import what takes longest."""
        import mobileq.preparation.prepare  # noqa: F401
        from mobileq.graph.slim import import_tool

        import_tool()
        return {}, {}

    def prepare(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """See `prepare_file`."""
        folder, path = Path(fields.pop("folder")), Path(fields["path"])
        with _limited(path):
            return _prepared(folder, fields), {}


def _prepared(folder: Path, fields: dict[str, Any]) -> Fields:
    from mobileq.graph.load import load_with_notices
    from mobileq.graph.outline import all_tensors, dtype_name, op_counts
    from mobileq.preparation.prepare import prepare_loaded

    model, notices = load_with_notices(fields["path"])
    loaded = [model]
    del model
    ops = op_counts(loaded[0])
    types = Counter(dtype_name(tensor.data_type) for tensor in all_tensors(loaded[0]))
    # Which lets go of it as soon as it has a copy.
    prepared = prepare_loaded(loaded.pop(), **fields, notices=notices)
    write_model(prepared.model, folder / MODEL_NAME)
    if prepared.quantized is not None:
        write_model(prepared.quantized, folder / QUANTIZED_NAME)
    described = PreparedFile(
        spec=prepared.spec,
        opset=prepared.opset,
        source_sha256=prepared.source_sha256,
        notices=prepared.notices,
        given=prepared.given,
        set_inputs=dict(prepared.set_inputs),
        file_ops=dict(ops),
        file_tensors=dict(types),
    )
    built: Fields = msgspec.to_builtins(described)
    return built


@contextmanager
def _limited(path: Path) -> Iterator[None]:
    """Let a model that unfolds into gigabytes end as a sentence, and one without end end at all."""
    most = memory.share_of(_total_size(path))
    memory.limit_data(most)
    memory.limit("CPU", _CPU_SECONDS)
    try:
        yield
    except MemoryError as error:
        raise memory.too_much(str(path), most) from error
    except InputError as error:
        if memory.is_lack(error.message):
            raise memory.too_much(str(path), most) from error
        raise


def _total_size(path: Path) -> int:
    """Of a model with its external data, or what may be that: all files named after it."""
    try:
        beside = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
        return min(sum(each.stat().st_size for each in beside if each.is_file()), 2**31)
    except OSError:
        return 0

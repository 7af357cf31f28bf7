"""Which kernels ONNX Runtime makes of a file, and the file written in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.graph.outline import with_outputs
from mobileq.graph.pair_parameters import DEQUANTIZE, PAIR
from mobileq.onnx_runtime import Session, SessionError, SessionOptions, open_session

if TYPE_CHECKING:
    from onnx import ModelProto

_FLOAT = 1
_SIGNED = ("session.qdqisint8allowed", "1")
_EXACT = ("session.x64quantprecision", "1")


def open_as_phones_do(path: Path, threads: int = 0) -> Session:
    """A session in which integer kernels compute here as they do on phones.

    On x86 ONNX Runtime (1.26) leaves pairs of signed integers in float unless it is told otherwise,
    and without VNNI cuts off sums of U8S8 products at 16 bits: yolov5n then has 3 to 5 dB less.
    What keeps it from that fails where nodes share weights, and at signed activations, which are
    not cut off in any case.
    """
    attempts: list[tuple[Callable[[], ModelProto | Path], tuple[tuple[str, str], ...]]] = [
        (lambda: path, (_SIGNED, _EXACT)),
        (lambda: path, (_SIGNED,)),
    ]
    if path.suffix == ".onnx":
        attempts.insert(1, (lambda: _unshared(path), (_SIGNED, _EXACT)))
    for model, entries in attempts:
        with suppress(SessionError):
            return open_session(model(), _shipped(threads, entries))
    return open_session(path, _shipped(threads, ()))


def _shipped(threads: int, entries: tuple[tuple[str, str], ...]) -> SessionOptions:
    return SessionOptions(threads=threads, fatal_only=True, as_shipped=True, entries=entries)


def _unshared(path: Path) -> ModelProto:
    """The model, each DequantizeLinear with constants of its own."""
    import onnx

    model = onnx.load(path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    taken: set[str] = set()
    for node in model.graph.node:
        for at, name in enumerate(node.input if node.op_type == DEQUANTIZE else ()):
            if name in taken:
                copy = model.graph.initializer.add()
                copy.CopyFrom(stored[name])
                copy.name = node.input[at] = f"{name}/{node.output[0]}"
            elif name in stored:
                taken.add(name)
    return model


def open_inside(path: Path, names: Sequence[str], threads: int = 0) -> Session:
    """A session that gives tensors from anywhere in the graph. Raises as `open_session`.

    Pairs are computed one by one, as they are written: joined to integer kernels they would lose
    here what they don't on phones, see `open_as_phones_do`.
    """
    import onnx

    opened = with_outputs(onnx.load(path), names)
    options = SessionOptions(threads=threads, optimization="none")
    with suppress(SessionError):
        return open_session(opened, msgspec.structs.replace(options, entries=(_EXACT,)))
    return open_session(opened, options)


def in_operator_format(model: ModelProto, scratch: Path) -> ModelProto:
    """The model as ONNX Runtime's optimizers leave it, all but those for one processor: what they
    find pairs around is an operator on integers.

    Args:
        scratch: A folder.
    """
    import onnx

    path = scratch / "operator-format.onnx"
    options = SessionOptions(optimization="extended", entries=(_SIGNED,), optimized_to=str(path))
    open_session(model, options)
    return onnx.load(path)


def write_reduced(source: Path, output: Path, config: Path) -> None:
    """Write a .onnx file in ONNX Runtime's own format, optimized, and the list of its operators.

    As `onnxruntime.tools.convert_onnx_models_to_ort` does for ARM, but without the optimizers that
    are known to be wrong: an app cannot leave them out any more.

    Args:
        config: For `--include_ops_by_config` of ONNX Runtime's build.
    """
    from onnxruntime.tools.ort_format_model import create_config_from_models

    entries = (_SIGNED, ("session.save_model_format", "ORT"))
    open_session(source, SessionOptions(entries=entries, optimized_to=str(output)))
    create_config_from_models([output], config, False)


def float_reason(model: ModelProto) -> str | None:
    """Half a sentence on the first op that takes or gives floats, and not only because what is
    beside it does; None where none does.

    Args:
        model: In operator format. Pairs between its integers are none: they change a scale.
    """
    from mobileq.graph.op_facts import MOVING
    from mobileq.graph.shapes import infer_shapes

    values = (*model.graph.input, *model.graph.output, *infer_shapes(model).graph.value_info)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == _FLOAT}
    found = [
        node
        for node in model.graph.node
        if node.op_type not in PAIR and floats.intersection((*node.input[:1], *node.output))
    ]
    if not found:
        return None
    node = next((each for each in found if each.op_type not in (*MOVING, "Concat")), found[0])
    where = f" (node {node.name!r})" if node.name else ""  # part of an operator
    return f"ONNX Runtime has no integer kernel for {node.op_type}{where}"

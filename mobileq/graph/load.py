"""Reads an ONNX file, with or without external data, and refuses what cannot be a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.graph.file_kinds import foreign_kind, kind_by_suffix
from mobileq.graph.outline import all_tensors, opset, reads
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular, require_regular

if TYPE_CHECKING:
    from google.protobuf.message import Message  # type: ignore[import-untyped, unused-ignore]
    from onnx import ModelProto, TensorProto

_EXTERNAL = 1
"""`TensorProto.EXTERNAL`: the values are in another file."""
_EXPORT_AGAIN = "Export or download the model again."


def load(path: str | Path) -> ModelProto:
    """Read and check a model; external data is read into it.

    Raises:
        UsageError: There is no such file.
        InputError: It is not a complete, valid ONNX model. The message says what it is.
    """
    return load_with_notices(path)[0]


def load_with_notices(path: str | Path) -> tuple[ModelProto, tuple[str, ...]]:
    """As `load`, and what a person should know of where the weights came from."""
    path = Path(path)
    model = _parse(_read(path), path)  # and lets go of the bytes, as many again
    _require_model(model, path)
    _require_text(model, path)
    notices = _read_external_data(model, path)
    _check_tensors(model, path)
    _sort_nodes(model)
    _check(model, path)
    return model, notices


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give the path of an .onnx file.")
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise _too_large(path)
        data = read_regular(path, MAX_MODEL_BYTES, "a model")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # ValueError: the path holds a NUL character.
        raise UsageError(f"There is no file {path}.", "Check the path of the model.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not data:
        raise InputError(f"{path} is empty (0 bytes).", _EXPORT_AGAIN)
    kind = foreign_kind(data, path)
    if kind is not None:
        raise InputError(f"{path} is {kind.what}, not an ONNX model.", kind.hint)
    return data


def _too_large(path: Path) -> InputError:
    return InputError(
        f"{path} is larger than 2 GB with its external data.",
        "No phone can run it; export a smaller variant of the model.",
    )


def _parse(data: bytes, path: Path) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load_model_from_string(data)
    except DecodeError as error:
        # Every exporter writes field 1, the IR version, first.
        if data[:1] == b"\x08" and kind_by_suffix(path) is None:
            raise InputError(f"{path} is damaged or was cut off.", _EXPORT_AGAIN) from error
        raise _not_onnx(path) from error


def _not_onnx(path: Path) -> InputError:
    kind = kind_by_suffix(path)
    if kind is not None:
        return InputError(f"{path} is {kind.what}, not an ONNX model.", kind.hint)
    return InputError(f"{path} is not an ONNX model.", "Give a file that was exported as ONNX.")


def _require_model(model: ModelProto, path: Path) -> None:
    """protobuf takes many byte strings for a message with unknown fields only: look for a graph."""
    if not model.HasField("graph") or not (model.ir_version or model.graph.node):
        raise _not_onnx(path)
    if not model.opset_import and model.ir_version >= 3:
        raise InputError(
            f"{path} does not say which ONNX version it needs: it is damaged or was cut off.",
            _EXPORT_AGAIN,
        )
    if not model.graph.output:
        raise InputError(f"The model in {path} has no outputs.", _EXPORT_AGAIN)
    if not model.graph.node:
        raise InputError(f"The model in {path} has no operators.", _EXPORT_AGAIN)


def _require_text(message: Message, path: Path) -> None:
    """Names are UTF-8; remarks that are not are made so.

    ONNX's protobuf syntax (proto2) does not check this: Python then gets `bytes` in place of `str`,
    and the checker's bindings (onnx 1.20.1) fail with UnicodeDecodeError on its own message.
    """
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for item in [value] if hasattr(value, "ListFields") else value:
                _require_text(item, path)
        elif field.type == field.TYPE_STRING:
            if isinstance(value, bytes) and field.name in ("doc_string", "value"):
                setattr(message, field.name, value.decode("utf-8", "replace"))
            elif isinstance(value, bytes) or (
                not isinstance(value, str) and any(isinstance(item, bytes) for item in value)
            ):
                raise InputError(f"{path} is damaged: some names are no text.", _EXPORT_AGAIN)


def _read_external_data(model: ModelProto, path: Path) -> tuple[str, ...]:
    from onnx.checker import ValidationError
    from onnx.external_data_helper import load_external_data_for_model

    external = [tensor for tensor in all_tensors(model) if tensor.data_location == _EXTERNAL]
    if not external:
        return ()
    files = {location: path.parent / location for location in _locations(external, path)}
    for location, file in files.items():
        try:
            require_regular(file)
        except FileNotFoundError as error:
            raise InputError(
                f"{path} keeps its weights in '{location}', which is missing.",
                f"Put '{location}' beside the model, in {path.parent}.",
            ) from error
        except OSError as error:
            raise unreadable(file, error) from error
    if path.stat().st_size + sum(file.stat().st_size for file in files.values()) > MAX_MODEL_BYTES:
        raise _too_large(path)
    try:
        load_external_data_for_model(model, str(path.parent))
    except (ValidationError, ValueError, OSError, OverflowError) as error:
        raise InputError(
            f"The external data of {path} cannot be read: {_sentence(error)}.",
            "Export the model again, or into one file.",
        ) from error
    return tuple(_outside(files, path))


def _outside(files: Mapping[str, Path], path: Path) -> Iterator[str]:
    """A sentence for weights that come from elsewhere: a link in an archive can name any file."""
    home = path.parent.resolve()
    for location, file in files.items():
        real = file.resolve()
        if home not in real.parents and real.parent != path.resolve().parent:
            yield f"The weights in '{location}' are a link out of the model's folder, to {real}."


def _locations(tensors: list[TensorProto], path: Path) -> set[str]:
    """The files named by the tensors; names that lead out of the model's folder are refused."""
    found = set()
    for tensor in tensors:
        location = next((item.value for item in tensor.external_data if item.key == "location"), "")
        flavours = (PurePosixPath(location), PureWindowsPath(location))
        leads_out = any(name.is_absolute() or ".." in name.parts for name in flavours)
        if not location or "\0" in location or leads_out:
            raise InputError(
                f"{path} keeps the weight '{tensor.name}' in {location!r},"
                " which is not a file beside it.",
                "Export the model again, or into one file.",
            )
        found.add(location)
    return found


def _check_tensors(model: ModelProto, path: Path) -> None:
    """Every stored tensor has as many values as its shape needs.

    onnx 1.20.1's checker does not compare them, and what reads the tensor later fails obscurely.
    """
    from onnx import numpy_helper

    for tensor in all_tensors(model):
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
            raise InputError(
                f"{path} is damaged: the values of '{tensor.name}' do not fit its shape and type.",
                _EXPORT_AGAIN,
            ) from error


def _sort_nodes(model: ModelProto) -> None:
    """Put nodes behind those they read from, as the standard wants and the checker insists.

    ONNX Runtime takes any order, and the float16 models of onnxconverter-common (Ultralytics'
    `half=True`) have the casts of their inputs at the end. What is in order stays as it is; a cycle
    is left to the checker.
    """
    nodes = model.graph.node
    makers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    awaited = [{makers[name] for name in reads(node) if name in makers} for node in nodes]
    readers: dict[int, list[int]] = {}
    for index, sources in enumerate(awaited):
        for source in sources:
            readers.setdefault(source, []).append(index)
    ready = [index for index, sources in enumerate(awaited) if not sources]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for reader in readers.get(order[-1], ()):
            awaited[reader].remove(order[-1])
            if not awaited[reader]:
                heappush(ready, reader)
    if len(order) == len(nodes) and order != sorted(order):
        ordered = [nodes[index] for index in order]
        del nodes[:]
        nodes.extend(ordered)


def _check(model: ModelProto, path: Path) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    too_new = f"Export the model again with opset {newest} or lower."
    version = opset(model)
    if version > newest:
        # onnx 1.20.1's checker takes any version and checks against the newest one it knows.
        raise InputError(f"{path} needs opset {version}, which is too new.", too_new)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        message = _sentence(error)
        raise InputError(
            f"{path} is not a valid ONNX model: {message}.",
            too_new if "ir_version" in message else _EXPORT_AGAIN,
        ) from error


def _sentence(error: Exception) -> str:
    """The first line of a message that may go on for pages, without its full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    # The checker goes on with "==> Context: Bad node spec for node. Name: ...".
    if len(lines) > 1 and "Context:" in lines[-1]:
        text = f"{text.rstrip('. ')} ({lines[-1].removeprefix('==>').strip().rstrip('. ')})"
    return (text if len(text) <= 300 else text[:297] + "...").rstrip(". ")

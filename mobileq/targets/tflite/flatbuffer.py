"""Read a .tflite file through its flatbuffer schema, and write it again."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path
from typing import Any

from mobileq.errors import InputError, unreadable
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular
from mobileq.targets.tflite.tables import offsets

_IDENTIFIER = b"TFL3"
_SPARE_READS = 10_000
"""What a tiny file may be read more often than it has bytes; others take one read for two."""


class _Metered:
    """A file's bytes, which can be read about as often as there are any.

    In an honest file every part is read once. In another, a thousand tables can be the same one
    with a thousand tables in it, and so on, until memory is full.
    """

    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)
        self._reads_left = self._bytes_left = len(data) + _SPARE_READS

    def __buffer__(self, flags: int) -> memoryview:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ValueError("tables within tables without end")
        return self._view

    def __getitem__(self, part: slice) -> memoryview:
        found = self._view[part]  # a string, which is copied
        self._bytes_left -= len(found)
        if self._bytes_left < 0:
            raise ValueError("more text than the file is long")
        return found


def read_model(path: Path) -> Any:
    """The file as the schema's mutable `ModelT`. Raises InputError where it is not a TFLite file.

    Its first graph has tensors, every index points at something (or is negative: an input left
    out), and lists that the file leaves out are empty. What follows the flatbuffer (the zip with
    the metadata) is left behind.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        data = read_regular(path, MAX_MODEL_BYTES, "a TFLite file")
    except OSError as error:
        raise unreadable(path, error) from error
    hint = "Give a .tflite file that a converter wrote completely."
    if len(data) < 8 or data[4:8] != _IDENTIFIER:
        raise InputError(f"{path} is not a TFLite file.", hint)
    try:
        # Depth-first reading of offsets that a damaged file may point anywhere.
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(_Metered(data), 0))
        _check(model)
    except (struct.error, ValueError, TypeError, IndexError, AttributeError, OverflowError) as e:
        raise InputError(f"{path} is a damaged TFLite file.", hint) from e
    except (MemoryError, RecursionError) as e:
        raise InputError(f"{path} is a damaged TFLite file.", hint) from e
    return model


def _check(model: Any) -> None:
    """Raises ValueError (TypeError, AttributeError) where a model's parts don't fit together."""
    model.operatorCodes = _each(model.operatorCodes)
    model.buffers = _each(model.buffers)
    model.subgraphs = _each(model.subgraphs)
    if not model.subgraphs or not model.subgraphs[0].tensors:
        raise ValueError("no graph")
    for graph in model.subgraphs:
        _check_graph(graph, len(model.operatorCodes))
    for signature in model.signatureDefs or ():
        signature.inputs, signature.outputs = _each(signature.inputs), _each(signature.outputs)


def _check_graph(graph: Any, code_count: int) -> None:
    graph.tensors, graph.operators = _each(graph.tensors), _each(graph.operators)
    count = len(graph.tensors)
    graph.inputs = _checked_indices(graph.inputs, 0, count)
    graph.outputs = _checked_indices(graph.outputs, 0, count)
    for tensor in graph.tensors:
        _check_tensor(tensor)
    for op in graph.operators:
        if op.opcodeIndex >= code_count:
            raise ValueError(f"operator code {op.opcodeIndex}")
        op.inputs = _checked_indices(op.inputs, -1, count)
        op.outputs = _checked_indices(op.outputs, 0, count)


def _check_tensor(tensor: Any) -> None:
    _checked_indices(tensor.shape, 0, 1 << 31)
    quant = tensor.quantization
    if quant is None or quant.scale is None or quant.zeroPoint is None:
        return
    if len(quant.zeroPoint) not in (0, len(quant.scale)):
        raise ValueError(f"{len(quant.scale)} scales, {len(quant.zeroPoint)} zero-points")


def _each(items: list[Any] | None) -> list[Any]:
    """`items`, none of which may be missing; an empty list for a list that is."""
    if any(item is None for item in items or ()):
        raise ValueError("a table is missing")
    return items or []


def _checked_indices(indices: Any, least: int, count: int) -> Any:
    """`indices`, all of which must be in least..count-1; an empty list for None."""
    if indices is None:
        return []
    if len(indices) and not least <= int(min(indices)) <= int(max(indices)) < count:
        raise ValueError(f"index out of {count}")
    return indices


def write_model(model: Any, path: Path) -> None:
    """Serialize `model` (a schema `ModelT`) to `path`.

    Equal vectors are written once: the zero-points of a file with scales per channel, eight bytes
    each and all zero, are a tenth of a small int8 file. Buffers are aligned to 16 bytes as the
    schema demands, which its Python classes forget (ai-edge-litert 2.1.2).
    """
    builder = _builder_class()(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    path.write_bytes(bytes(builder.Output()))


_BUFFER_ALIGNMENT = 16


@cache
def _builder_class() -> Any:
    import flatbuffers
    import numpy as np

    class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in self._written:
                if x.dtype == np.uint8:
                    self._written[key] = self.create_aligned(key[1])
                else:
                    self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

        def create_aligned(self, data: bytes) -> int:
            self.StartVector(1, len(data), _BUFFER_ALIGNMENT)
            self.head -= len(data)
            self.Bytes[self.head : self.head + len(data)] = data
            self.vectorNumElems = len(data)
            return int(self.EndVector())

    return SharingBuilder


_MODEL_FIELDS, _BUFFERS, _METADATA = 10, 4, 6
"""Of the schema's table `Model`, whose fields are lists and texts, but for the version in front."""


def add_metadata(path: Path, name: str, content: bytes) -> None:
    """Let the file have `content` under `name` among its metadata.

    All else keeps its bytes and their alignment: a flatbuffer points forward only, and so a new
    root goes in front of what is there, with longer lists of buffers and of metadata.
    """
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    data += bytes(-len(data) % _BUFFER_ALIGNMENT)  # offsets, and so alignment, count from the end
    model = schema.Model.GetRootAs(data, 0)
    buffers = [model.Buffers(index)._tab.Pos for index in range(model.BuffersLength())]
    entries = [model.Metadata(index)._tab.Pos for index in range(model.MetadataLength())]
    builder = _builder_class()(0)
    room = 4 * (len(buffers) + len(entries)) + len(content) + len(name) + 1024
    builder.Bytes = bytearray(room) + data
    builder.head = room
    offset = builder.create_aligned(content)
    schema.BufferStart(builder)
    schema.BufferAddData(builder, offset)
    buffer = schema.BufferEnd(builder)
    offset = builder.CreateString(name)
    schema.MetadataStart(builder)
    schema.MetadataAddName(builder, offset)
    schema.MetadataAddBuffer(builder, len(buffers))
    entry = schema.MetadataEnd(builder)
    fields = {
        slot: len(data) - model._tab.Indirect(model._tab.Pos + place)
        for slot in range(1, _MODEL_FIELDS)
        if (place := model._tab.Offset(4 + 2 * slot))
    }
    fields[_BUFFERS] = offsets(builder, [*(len(data) - each for each in buffers), buffer])
    fields[_METADATA] = offsets(builder, [*(len(data) - each for each in entries), entry])
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, model.Version())
    for slot, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(schema.ModelEnd(builder), file_identifier=_IDENTIFIER)
    with path.open("wb") as file:  # `Output` would copy it
        file.write(memoryview(builder.Bytes)[builder.Head() :])

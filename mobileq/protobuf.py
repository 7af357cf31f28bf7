"""ONNX models without copies of their weights: they are most of what a model takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.message import Message  # type: ignore[import-untyped, unused-ignore]
    from onnx import ModelProto

_GRAPH: Final = 7
_PARTS: Final = {"node": 1, "initializer": 5}
"""Numbers of these fields in ModelProto and in GraphProto."""


def copy_fields(source: Message, target: Message, skipped: tuple[str, ...]) -> None:
    """Copy all that is set but the fields `skipped`."""
    for field, value in source.ListFields():
        if field.name in skipped:
            continue
        if hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)


def write_model(model: ModelProto, path: Path) -> None:
    """Write a file that is read as the model; one node or initializer in memory at a time.

    To serialize it as a whole takes up to three times as much as the model itself. Each part is a
    graph of its own here, which whoever reads the file joins, as protobuf says of messages that
    come more than once.
    """
    from onnx import ModelProto

    bare = ModelProto()
    copy_fields(model, bare, ("graph",))
    copy_fields(model.graph, bare.graph, tuple(_PARTS))
    with path.open("wb") as file:
        file.write(bare.SerializeToString(deterministic=True))
        for name, number in _PARTS.items():
            for part in getattr(model.graph, name):
                data = part.SerializeToString(deterministic=True)
                head = _head(number, len(data))
                file.write(_head(_GRAPH, len(head) + len(data)) + head)
                file.write(data)


def _head(number: int, size: int) -> bytes:
    """What stands before a message of so many bytes."""
    found = bytearray([number << 3 | 2])
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)

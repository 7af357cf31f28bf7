"""Tables of a flatbuffer by the numbers of their fields, for schemas without generated classes.

A table is a dict: the number of each field, counted in the order in which its schema declares them,
and what it holds. A union takes two numbers: that of its kind, then that of its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatbuffers import Builder


@dataclass(frozen=True)
class Enum:
    """One byte: an enumeration's value, or which of a union's tables it holds."""

    value: int


@dataclass(frozen=True)
class Int:
    """Four bytes."""

    value: int


@dataclass(frozen=True)
class Float:
    """Four bytes."""

    value: float


Table = dict[int, Any]
"""Of the three above, texts, tables, lists of them, and tuples of numbers of four bytes each."""


def finished(root: Table, identifier: bytes) -> bytes:
    """The flatbuffer whose root is `root`. Same input, same bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def _table(builder: Builder, table: Table) -> int:
    fields = sorted(table.items())
    children = {slot: _child(builder, value) for slot, value in fields}
    builder.StartObject(fields[-1][0] + 1 if fields else 0)
    for slot, value in fields:
        match value:
            case Enum():
                builder.PrependUint8Slot(slot, value.value, 0)
            case Int():
                builder.PrependInt32Slot(slot, value.value, 0)
            case Float():
                builder.PrependFloat32Slot(slot, value.value, 0.0)
            case _:
                builder.PrependUOffsetTRelativeSlot(slot, children[slot], 0)
    return int(builder.EndObject())


def _child(builder: Builder, value: Any) -> int:
    """Where what does not fit into a field was written; 0 for what does."""
    match value:
        case str():
            return int(builder.CreateString(value))
        case dict():
            return _table(builder, value)
        case list():
            return offsets(builder, [_child(builder, each) for each in value])
        case tuple():
            builder.StartVector(4, len(value), 4)
            for number in reversed(value):
                if isinstance(number, float):
                    builder.PrependFloat32(number)
                else:
                    builder.PrependInt32(number)
            return int(builder.EndVector())
    return 0


def offsets(builder: Any, written: list[int]) -> int:
    """A vector of what was written at these offsets; its own."""
    builder.StartVector(4, len(written), 4)
    for offset in reversed(written):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())

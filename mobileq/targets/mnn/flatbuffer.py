"""As little of flatbuffers as it takes to read fields of a .mnn file and to change numbers in it.

Fields are counted as in MNN's schema. Raises struct.error where the file ends early.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NET_DESCRIBED, _NET_OPS, _DESCRIBED_INDEX, _DESCRIBED_QUANT = 1, 3, 1, 4
Place = tuple[int, ...]
"""Number of an op in the file, and of the fields that lead from it to another one."""
_ACTIVATION = (2, 2)
"""Of a BinaryOp, from the op on; 0: none."""
_QUANT_FIELDS = ((0, "<f", 0.0), (1, "<f", 0.0), (2, "<f", -128.0), (3, "<f", 127.0), (4, "<i", 0))
"""(number, type, default) of a scale, a zero-point, the lowest and highest code, and a type."""
_Quant = tuple[Any, ...]
_FLOAT = 1
_UNKNOWN: _Quant = (1.0, 0.0, -128.0, 127.0, _FLOAT)
# Sizes of this and of the table, and where in the table each field is; padded.
_DESCRIBED_LAYOUT = struct.pack("<8H", 14, 12, 0, 4, 0, 0, 8, 0)
_QUANT_LAYOUT = struct.pack("<8H", 14, 24, 4, 8, 12, 16, 20, 0)


def follow(content: bytes | bytearray, at: int) -> int:
    """Where the reference at `at` points to; the root table's is at 0."""
    offset: int = struct.unpack_from("<I", content, at)[0]
    return at + offset


def field(content: bytes | bytearray, table: int, number: int) -> int | None:
    """Where a table keeps its field of that number; None where it is left at its default."""
    (back,) = struct.unpack_from("<i", content, table)
    (size,) = struct.unpack_from("<H", content, table - back)
    if size < 6 + 2 * number:
        return None
    (offset,) = struct.unpack_from("<H", content, table - back + 4 + 2 * number)
    return table + offset if offset else None


def describe_as_float(path: Path, tensors: Collection[int]) -> None:
    """Say of these tensors, by their indexes, that they are float, and leave all else as it is.

    MNN's JSON form would round every number of the file. All descriptions are written anew, at the
    end: references only point forward.
    """
    content = bytearray(path.read_bytes())
    place = field(content, follow(content, 0), _NET_DESCRIBED)
    if place is None or not tensors:
        return
    described = dict(_descriptions(content, follow(content, place)))
    for index in tensors:
        described[index] = (*described.get(index, _UNKNOWN)[:-1], _FLOAT)
    content += bytes(-len(content) % 4)
    struct.pack_into("<I", content, place, len(content) - place)
    content += _written(sorted(described.items()))
    path.write_bytes(content)


def take_relus(path: Path, ops: Collection[int]) -> None:
    """Take the ReLU out of these sums, and the like, of which it is a part."""
    content = bytearray(path.read_bytes())
    oplists = follow(content, _place(content, follow(content, 0), (_NET_OPS,)))
    for op in ops:
        at = _place(content, follow(content, oplists + 4 + 4 * op), _ACTIVATION)
        struct.pack_into("<i", content, at, 0)
    path.write_bytes(content)


def put_vectors(path: Path, vectors: Mapping[Place, NDArray[Any]]) -> None:
    """Give fields that hold some vector another one, which is written at the end."""
    if not vectors:
        return
    with path.open("r+b") as file:
        content = bytearray(file.read())
        end = len(content) + -len(content) % 4
        oplists = follow(content, _place(content, follow(content, 0), (_NET_OPS,)))
        for (op, *numbers), values in vectors.items():
            at = _place(content, follow(content, oplists + 4 + 4 * op), numbers)
            struct.pack_into("<I", content, at, end - at)
            end += 4 + values.nbytes + -values.nbytes % 4
        content += bytes(-len(content) % 4)
        file.seek(0)
        file.write(content)
        for values in vectors.values():
            file.write(struct.pack("<I", values.size))
            file.write(values.data)
            file.write(bytes(-values.nbytes % 4))


def _place(content: bytes | bytearray, table: int, numbers: Sequence[int]) -> int:
    """Where the last of the fields is, each of which but that one is a table."""
    *tables, last = numbers
    for number in tables:
        at = field(content, table, number)
        assert at is not None
        table = follow(content, at)
    place = field(content, table, last)
    assert place is not None
    return place


def _descriptions(content: bytearray, vector: int) -> Iterator[tuple[int, _Quant]]:
    for position in range(struct.unpack_from("<I", content, vector)[0]):
        description = follow(content, vector + 4 + 4 * position)
        (index,) = _numbers(content, description, ((_DESCRIBED_INDEX, "<i", 0),))
        quant = field(content, description, _DESCRIBED_QUANT)
        if quant is not None:
            yield index, _numbers(content, follow(content, quant), _QUANT_FIELDS)


def _numbers(
    content: bytearray, table: int, fields: Iterable[tuple[int, str, float]]
) -> tuple[Any, ...]:
    places = ((field(content, table, number), kind, default) for number, kind, default in fields)
    return tuple(
        default if place is None else struct.unpack_from(kind, content, place)[0]
        for place, kind, default in places
    )


def _written(described: Sequence[tuple[int, _Quant]]) -> bytes:
    """The vector of descriptions, what says where their fields are, and they themselves."""
    vector = struct.pack("<I", len(described))
    layouts = len(vector) + 4 * len(described)
    first = layouts + len(_DESCRIBED_LAYOUT) + len(_QUANT_LAYOUT)
    tables = b""
    for index, quant in described:
        at = first + len(tables)
        vector += struct.pack("<I", at - len(vector))
        tables += struct.pack("<iiI", at - layouts, index, 4)
        tables += struct.pack("<i4fi", at + 12 - layouts - len(_DESCRIBED_LAYOUT), *quant)
    return vector + _DESCRIBED_LAYOUT + _QUANT_LAYOUT + tables

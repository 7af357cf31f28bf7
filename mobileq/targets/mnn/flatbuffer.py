"""As little of flatbuffers as it takes to read fields of a .mnn file and to change numbers in it.

Fields are counted as in MNN's schema. Raises struct.error where the file ends early.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path

_NET_DESCRIBED, _DESCRIBED_INDEX, _DESCRIBED_QUANT, _QUANT_TYPE = 1, 1, 4, 4
_FLOAT, _INT8 = 1, 6


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

    MNN's JSON form would round every number of the file.
    """
    content = bytearray(path.read_bytes())
    for description in _descriptions(content):
        index = field(content, description, _DESCRIBED_INDEX)
        quant = field(content, description, _DESCRIBED_QUANT)
        kind = field(content, follow(content, quant), _QUANT_TYPE) if quant else None
        number = struct.unpack_from("<i", content, index)[0] if index else 0
        if number in tensors and kind and struct.unpack_from("<i", content, kind)[0] == _INT8:
            struct.pack_into("<i", content, kind, _FLOAT)
    path.write_bytes(content)


def _descriptions(content: bytearray) -> Iterator[int]:
    found = field(content, follow(content, 0), _NET_DESCRIBED)
    if found is None:
        return
    vector = follow(content, found)
    for position in range(struct.unpack_from("<I", content, vector)[0]):
        yield follow(content, vector + 4 + 4 * position)

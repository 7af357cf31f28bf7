"""How parent and child talk: one JSON header with the arrays' types, then their bytes.

Not pickle: a child may have been corrupted by the file it was given, and what it sends must not
be able to run code in the parent.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Fields = dict[str, Any]
Arrays = dict[str, "NDArray[Any]"]

_LENGTH = struct.Struct("<Q")
_HEADER_LIMIT = 64 * 1024**2
_ARRAY_LIMIT = 8 * 1024**3
_PIECE = 64 * 1024**2
"""No more is set aside at once than this, so that a size that was lied about costs nothing."""
_DTYPE = re.compile(r"[<>|=][biufc][0-9]{1,2}")
"""Numbers and truth values only: numpy's full syntax can name objects, and warns or evaluates."""


class Closed(Exception):
    """The other side is gone."""


def is_sendable(value: object) -> bool:
    """Whether it is an array that can be sent."""
    import numpy as np

    return isinstance(value, np.ndarray) and _DTYPE.fullmatch(value.dtype.str) is not None


def write_message(
    stream: BinaryIO | io.RawIOBase,
    fields: Fields,
    arrays: Mapping[str, NDArray[np.generic]] | None = None,
) -> None:
    """Send `fields` (JSON values) and `arrays` (of numbers or truth values).

    Raises:
        OSError: The other side is gone.
        TypeError: A field or an array cannot be sent; nothing was.
    """
    import numpy as np

    described = []
    for name, array in (arrays or {}).items():
        if not _DTYPE.fullmatch(array.dtype.str):
            raise TypeError(f"{name}: arrays of {array.dtype} cannot be sent")
        described.append({"name": name, "dtype": array.dtype.str, "shape": list(array.shape)})
    header = json.dumps({"fields": fields, "arrays": described}).encode()
    stream.write(_LENGTH.pack(len(header)))
    stream.write(header)
    for array in (arrays or {}).values():
        stream.write(memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8)))
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[Fields, Arrays]:
    """Receive one message. Raises `Closed` at the end of the stream or on a damaged message."""
    import numpy as np

    header = _read_header(stream)
    arrays: Arrays = {}
    try:
        fields = header["fields"]
        if not isinstance(fields, dict):
            raise TypeError("the fields are no object")
        for name, dtype_text, shape in _described(header):
            dtype = np.dtype(dtype_text)
            data = _read_exactly(stream, math.prod(shape) * dtype.itemsize, _ARRAY_LIMIT)
            arrays[name] = np.frombuffer(data, dtype).reshape(shape)
        return fields, arrays
    except (ValueError, KeyError, TypeError) as error:
        raise Closed(f"damaged message: {error}") from error


def _read_header(stream: BinaryIO) -> Any:
    size = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size, _LENGTH.size))[0]
    text = _read_exactly(stream, size, _HEADER_LIMIT)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Closed(f"damaged message: {error}") from error


def _described(header: Any) -> Iterator[tuple[str, str, list[int]]]:
    """(name, dtype, shape) of each announced array. Raises ValueError where one can't be."""
    for entry in header["arrays"]:
        name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
        if not isinstance(name, str) or not _DTYPE.fullmatch(dtype):
            raise ValueError(f"array {name!r} of {dtype!r}")
        if not isinstance(shape, list) or any(type(axis) is not int or axis < 0 for axis in shape):
            raise ValueError(f"array {name!r} of shape {shape!r}")
        yield name, dtype, shape


def _read_exactly(stream: BinaryIO, size: int, limit: int) -> bytes:
    if size > limit:
        raise Closed(f"a message part of {size} bytes")
    pieces = []
    while size > 0:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise Closed("end of stream")
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

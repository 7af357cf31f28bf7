"""How parent and child talk: one JSON header with the arrays' types, then their bytes.

Not pickle: a child may have been corrupted by the file it was given, and what it sends must not
be able to run code in the parent.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Fields = dict[str, Any]
Arrays = dict[str, "NDArray[Any]"]

_LENGTH = struct.Struct("<Q")
_MESSAGE_LIMIT = 8 * 1024**3


class Closed(Exception):
    """The other side is gone."""


def write_message(
    stream: BinaryIO, fields: Fields, arrays: Mapping[str, NDArray[np.generic]] | None = None
) -> None:
    """Send `fields` (JSON values) and `arrays`. Raises OSError where the other side is gone."""
    import numpy as np

    payload = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [
        # `shape` of the original: ascontiguousarray turns a scalar into [1].
        {"name": name, "dtype": array.dtype.str, "shape": list((arrays or {})[name].shape)}
        for name, array in payload.items()
    ]
    header = json.dumps({"fields": fields, "arrays": described}).encode()
    stream.write(_LENGTH.pack(len(header)))
    stream.write(header)
    for array in payload.values():
        stream.write(memoryview(array.reshape(-1).view(np.uint8)))
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[Fields, Arrays]:
    """Receive one message. Raises `Closed` at the end of the stream or on a damaged message."""
    import numpy as np

    header_bytes = _read_exactly(stream, _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))[0])
    arrays: Arrays = {}
    try:
        header = json.loads(header_bytes)
        for entry in header["arrays"]:
            dtype = np.dtype(entry["dtype"])
            if dtype.hasobject:
                raise Closed("an object array was sent")
            count = int(np.prod(entry["shape"], dtype=np.int64))
            data = _read_exactly(stream, count * dtype.itemsize)
            arrays[entry["name"]] = np.frombuffer(data, dtype).reshape(entry["shape"])
        return header["fields"], arrays
    except (ValueError, KeyError, TypeError) as error:
        raise Closed(f"damaged message: {error}") from error


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    if size < 0 or size > _MESSAGE_LIMIT:
        raise Closed(f"a message part of {size} bytes")
    data = stream.read(size)
    if len(data) != size:
        raise Closed("end of stream")
    return data

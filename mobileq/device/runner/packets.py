"""Byte sequences over a stream that others may write into: a phone's shell, a driver that prints.

    magic, 8 bytes | length, 4 | CRC-32 of the payload, 4 | CRC-32 of these 16 bytes, 4 | payload

Numbers are little-endian. What lies between packets is passed over. The magic has both kinds of
line ends, so that a terminal which changes them is noticed. The other side is
`android_runner/.../Packets.java`.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

MAGIC = b"\x89MQR\r\n\x1a\n"
MOST_BYTES = 1 << 28
_CHECKED = struct.Struct("<8sII")
_CRC = struct.Struct("<I")
HEADER_BYTES = _CHECKED.size + _CRC.size
_PIECE = 1 << 24
"""No more is set aside before it has come."""
_MOST_STRAY_BYTES = 1 << 20
_KEPT_STRAY_BYTES = 2000


class Lost(Exception):
    """The other side is gone, or what it says can't be read. The text says which."""


def packet(payload: bytes | memoryview) -> bytes:
    """The header of a packet, to be followed by its payload.

    Raises:
        ValueError: The payload is longer than the other side takes.
    """
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes are too many")
    checked = _CHECKED.pack(MAGIC, len(payload), zlib.crc32(payload))
    return checked + _CRC.pack(zlib.crc32(checked))


class PacketReader:
    """Packets of a stream.

    Attributes:
        stray: The beginning of what lay between packets: what a shell or a linker says when
            nothing starts.
    """

    def __init__(self, stream: BinaryIO | io.BufferedReader) -> None:
        self._stream = stream
        self.stray = b""
        self._stray_bytes = 0

    def read(self) -> bytes:
        """The next payload.

        Raises:
            Lost: The stream ends, a payload is damaged, or nothing comes that is a packet.
        """
        header = self._exactly(HEADER_BYTES)
        while (found := _announced(header)) is None:
            # What can't be the beginning of a packet is passed over at once.
            at = header.find(MAGIC[:1], 1)
            dropped = len(header) if at < 0 else at
            self._passed_over(header[:dropped])
            header = header[dropped:] + self._exactly(dropped, header[dropped:])
        length, crc = found
        pieces = []
        while length > 0:
            piece = self._stream.read(min(length, _PIECE))
            if not piece:
                raise Lost("it ended inside an answer")
            pieces.append(piece)
            length -= len(piece)
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if zlib.crc32(payload) != crc:
            raise Lost("its answer was damaged on the way")
        return payload

    def _exactly(self, count: int, before: bytes = b"") -> bytes:
        data = self._stream.read(count)
        if len(data or b"") < count:
            self._passed_over(before + (data or b""))
            raise Lost("it ended")
        return data

    def _passed_over(self, data: bytes) -> None:
        self.stray = (self.stray + data)[:_KEPT_STRAY_BYTES]
        self._stray_bytes += len(data)
        if self._stray_bytes > _MOST_STRAY_BYTES:
            raise Lost("it sends something else than answers")


def _announced(header: bytes) -> tuple[int, int] | None:
    """(length, CRC-32) of the payload that a header announces; None where it is no header."""
    magic, length, crc = _CHECKED.unpack_from(header)
    (checked,) = _CRC.unpack_from(header, _CHECKED.size)
    if magic != MAGIC or length > MOST_BYTES or checked != zlib.crc32(header[: _CHECKED.size]):
        return None
    return length, crc

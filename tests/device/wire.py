"""The messages of adb's transport protocol (system/core/adb/protocol.txt), both ways."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

VERSION = 0x01000001
"""From which on neither side looks at checksums, but for those of the greeting."""
MAX_DATA = 1 << 20
_HEADER = struct.Struct("<4sIIIII")


@dataclass(frozen=True)
class Message:
    """One message; `first` and `second` mean something else for each command."""

    command: bytes
    first: int
    second: int
    data: bytes = b""


class Gone(Exception):
    """The cable is out."""


def receive(connection: socket.socket) -> Message:
    """Wait for a message.

    Raises:
        Gone: The other side hung up.
    """
    command, first, second, length, _, magic = _HEADER.unpack(_exactly(connection, _HEADER.size))
    assert magic == int.from_bytes(command, "little") ^ 0xFFFFFFFF, "no message of adb's"
    return Message(command, first, second, _exactly(connection, length))


def send(connection: socket.socket, message: Message) -> None:
    """Send a message. Raises Gone as `receive` does."""
    greets = message.command in (b"CNXN", b"AUTH")
    header = _HEADER.pack(
        message.command,
        message.first,
        message.second,
        len(message.data),
        sum(message.data) & 0xFFFFFFFF if greets else 0,
        int.from_bytes(message.command, "little") ^ 0xFFFFFFFF,
    )
    try:
        connection.sendall(header + message.data)
    except OSError as error:
        raise Gone from error


def _exactly(connection: socket.socket, count: int) -> bytes:
    pieces = []
    while count:
        try:
            piece = connection.recv(min(count, 1 << 18))
        except OSError as error:
            raise Gone from error
        if not piece:
            raise Gone
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)

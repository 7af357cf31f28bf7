"""Streams of one connection: what the host opens, and the bytes that go both ways."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from .wire import MAX_DATA, Gone, Message, receive, send

type Service = Callable[[str], Callable[[Stream], None]]
"""Finds what serves a stream that is opened for a name, such as `shell,v2,raw:ls`; or Unserved."""


class Unserved(Exception):
    """There is no such service, or nobody listens at its other end."""


class Stream:
    """Two ways of bytes, with one message under way at a time, as adb wants it."""

    def __init__(self, link: Link, number: int, remote: int) -> None:
        self._link, self.number, self.remote = link, number, remote
        self._received: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ready = threading.Semaphore(0)
        self._left = b""
        self.closed = False

    def read(self) -> bytes:
        """The next bytes; none where the host closed the stream."""
        if self._left:
            taken, self._left = self._left, b""
            return taken
        data = self._received.get()
        if data is None:
            self._received.put(None)
            return b""
        if not self.closed:
            self._link.send(Message(b"OKAY", self.number, self.remote))
        return data

    def exactly(self, count: int) -> bytes:
        """So many bytes. Raises Gone where the stream ends before."""
        got = bytearray()
        while len(got) < count:
            data = self.read()
            if not data:
                raise Gone
            got += data
        self._left = bytes(got[count:])
        return bytes(got[:count])

    def write(self, data: bytes) -> None:
        """Send bytes and wait until the host has them. Raises Gone."""
        for start in range(0, len(data), MAX_DATA):
            if self.closed:
                raise Gone
            piece = data[start : start + MAX_DATA]
            self._link.send(Message(b"WRTE", self.number, self.remote, piece))
            self._ready.acquire()

    def close(self) -> None:
        """Tell the host that nothing comes any more."""
        if not self.closed:
            self.hang_up()
            with suppress(Gone):
                self._link.send(Message(b"CLSE", self.number, self.remote))

    def take(self, message: Message) -> None:
        """A message of the host's for this stream."""
        if message.command == b"WRTE":
            self._received.put(message.data)
        elif message.command == b"OKAY":
            self._ready.release()
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """The other end is gone."""
        self.closed = True
        self._received.put(None)
        self._ready.release()


class Link:
    """One connection of a host after the greeting. `heard` is told how many bytes came."""

    def __init__(
        self, connection: socket.socket, service: Service, heard: Callable[[int], None]
    ) -> None:
        self._connection, self._service, self._heard = connection, service, heard
        self._lock = threading.Lock()
        self._streams: dict[int, Stream] = {}

    def send(self, message: Message) -> None:
        """Send a message, from any thread."""
        with self._lock:
            send(self._connection, message)

    def serve(self) -> None:
        """Until the host hangs up. Raises Gone."""
        try:
            while True:
                self._handle(receive(self._connection))
        finally:
            for stream in list(self._streams.values()):
                stream.hang_up()

    def _handle(self, message: Message) -> None:
        self._heard(len(message.data))
        if message.command == b"OPEN":
            number = len(self._streams) + 1
            stream = self._streams[number] = Stream(self, number, message.first)
            name = message.data.rstrip(b"\0").decode("utf-8", "surrogateescape")
            threading.Thread(target=self._run, args=(name, stream), daemon=True).start()
        elif message.second in self._streams:
            self._streams[message.second].take(message)

    def _run(self, name: str, stream: Stream) -> None:
        try:
            serve = self._service(name)
        except Unserved:
            self.send(Message(b"CLSE", 0, stream.remote))
            return
        with suppress(Gone, OSError):
            self.send(Message(b"OKAY", stream.number, stream.remote))
            serve(stream)
        stream.close()

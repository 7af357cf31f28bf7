"""A device of our own for adb's real client and server: it listens on 127.0.0.1.

It speaks the transport protocol, so all that lies between mobileq and a phone's daemon is real.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from .sandbox import PROPERTIES, Sandbox
from .shell import serve_shell
from .streams import Link, Stream, Unserved
from .sync import serve_sync
from .wire import MAX_DATA, VERSION, Gone, Message, receive, send

_FEATURES = "shell_v2,cmd,stat_v2,fixed_push_mkdir,apex"
_TOKEN, _PUBLIC_KEY = 1, 3
State = Literal["device", "unauthorized", "offline"]


class LoopbackDevice:
    """One device. Close it at the end.

    Args:
        root: An empty folder to live in.
        properties: What `getprop` tells, beside or instead of `PROPERTIES`.
        state: `unauthorized` wants a key that nobody allows, `offline` says nothing.
        features: Of adb; a device without `shell_v2` is older than Android 7.
    """

    def __init__(
        self,
        root: Path,
        properties: dict[str, str] | None = None,
        state: State = "device",
        features: str = _FEATURES,
    ) -> None:
        self.sandbox = Sandbox(root, {**PROPERTIES, **(properties or {})})
        self.opened: list[str] = []
        self.received_bytes = 0
        self._state, self._features = state, features
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._bytes_to_cut: int | None = None
        self._plugged = threading.Event()
        self._plugged.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def cut_after(self, count: int, back: bool = True) -> None:
        """Pull the cable out when the host has sent `count` bytes more; `back`: and in again."""
        self._bytes_to_cut, self._back = count, back

    def plug(self) -> None:
        """Put the cable in again."""
        self._plugged.set()

    def unplug(self) -> None:
        """Pull the cable out."""
        self._plugged.clear()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Be gone."""
        self.unplug()
        self._socket.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                if not self._plugged.is_set():
                    connection.close()
                    continue
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, suppress(Gone):
            assert receive(connection).command == b"CNXN"
            if self._state == "offline":
                receive(connection)
            while self._state == "unauthorized":
                send(connection, Message(b"AUTH", _TOKEN, 0, os.urandom(20)))
                if receive(connection).first == _PUBLIC_KEY:
                    receive(connection)  # nobody taps on "Allow"
            banner = (
                f"device::ro.product.name=loop;ro.product.model=Loop 9;features={self._features}"
            )
            send(connection, Message(b"CNXN", VERSION, MAX_DATA, banner.encode()))
            Link(connection, self._service, self._count).serve()

    def _count(self, count: int) -> None:
        self.received_bytes += count
        if self._bytes_to_cut is None:
            return
        self._bytes_to_cut -= count
        if self._bytes_to_cut < 0:
            self._bytes_to_cut = None
            self.unplug()
            if self._back:
                self.plug()
            raise Gone

    def _service(self, name: str) -> Callable[[Stream], None]:
        self.opened.append(name)
        kind, _, argument = name.partition(":")
        kind, *options = kind.split(",")
        if kind in ("shell", "exec") and argument:
            framed = "v2" in options
            return lambda stream: serve_shell(self.sandbox, argument, stream, framed=framed)
        if kind == "sync":
            return functools.partial(serve_sync, self.sandbox)
        if kind == "tcp":
            return _joined(socket.AF_INET, ("127.0.0.1", int(argument)))
        if kind == "localabstract":
            return _joined(socket.AF_UNIX, f"\0{argument}")
        raise Unserved


def _joined(family: int, address: tuple[str, int] | str) -> Callable[[Stream], None]:
    """What `adb forward` leads to: a program that listens."""
    connection = socket.socket(family)
    try:
        connection.connect(address)
    except OSError as error:
        connection.close()
        raise Unserved from error

    def answer(stream: Stream) -> None:
        with suppress(Gone, OSError):
            while data := connection.recv(1 << 18):
                stream.write(data)
        stream.close()

    def serve(stream: Stream) -> None:
        back = threading.Thread(target=answer, args=(stream,), daemon=True)
        back.start()
        while data := stream.read():
            connection.sendall(data)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        back.join()
        connection.close()

    return serve

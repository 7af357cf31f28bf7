"""The services that run commands: `shell`, with and without its second protocol, and `exec`."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import threading
from contextlib import suppress
from typing import IO

from .sandbox import Sandbox
from .streams import Stream
from .wire import Gone

_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_HEADER = struct.Struct("<BI")
_PIECE = 1 << 17


def serve_shell(sandbox: Sandbox, command: str, stream: Stream, *, framed: bool) -> None:
    """Run a command. Framed: stdin, stdout, stderr and the exit code apart; else one raw stream."""
    process = sandbox.start(command, stderr=subprocess.PIPE if framed else subprocess.STDOUT)
    assert process.stdin is not None
    feed = _feed_framed if framed else _feed_raw
    feeder = threading.Thread(target=feed, args=(stream, process), daemon=True)
    feeder.start()
    lock = threading.Lock()
    readers = [
        threading.Thread(target=_forward, args=(pipe, kind, stream, lock, framed), daemon=True)
        for pipe, kind in ((process.stdout, _STDOUT), (process.stderr, _STDERR))
        if pipe is not None
    ]
    for reader in readers:
        reader.start()
    code = process.wait()
    for reader in readers:
        reader.join()
    if framed:
        with suppress(Gone):
            stream.write(_HEADER.pack(_EXIT, 1) + bytes([code % 256]))
    stream.close()
    feeder.join()


def _forward(
    pipe: IO[bytes], kind: int, stream: Stream, lock: threading.Lock, framed: bool
) -> None:
    with pipe:
        while data := os.read(pipe.fileno(), _PIECE):
            with suppress(Gone), lock:
                stream.write((_HEADER.pack(kind, len(data)) if framed else b"") + data)


def _feed_framed(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        while True:
            kind, length = _HEADER.unpack(stream.exactly(_HEADER.size))
            data = stream.exactly(length)
            if kind == _STDIN:
                with suppress(BrokenPipeError):
                    process.stdin.write(data)
                    process.stdin.flush()
            elif kind == _CLOSE_STDIN:
                with suppress(BrokenPipeError):
                    process.stdin.close()
    except Gone:
        pass
    _end(process)


def _feed_raw(stream: Stream, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):
        while data := stream.read():
            process.stdin.write(data)
            process.stdin.flush()
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """As adbd does with what still runs when its stream is closed."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGHUP)

"""`python -m mobileq.device.runner.bridge BUNDLE INSTRUMENTATION ADB...`: the runner that is an
app on a phone, as a program whose stdin and stdout are the runner's. Ends with it.

`adb forward` takes a connection whether or not anybody listens on the phone yet, and then ends it:
so the runner says a byte first of all.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from shlex import quote

_LIMIT_S = 30.0
_PIECE = 1 << 18


def bridge(bundle: str, instrumentation: str, adb: Sequence[str]) -> int:
    """Serve until either side ends; an exit code."""
    name = f"mobileq-{secrets.token_hex(16)}"
    script = f"am instrument -w -e bundle {quote(bundle)} -e socket {name} {instrumentation}"
    started = subprocess.Popen(
        [*adb, "shell", "-n", script], stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    port = subprocess.check_output([*adb, "forward", "tcp:0", f"localabstract:{name}"]).strip()
    try:
        connection = _connected(int(port), started)
        if connection is None:
            return 1
        with connection:
            threading.Thread(target=_requests, args=(connection,), daemon=True).start()
            _answers(connection)
        return 0
    finally:
        subprocess.run([*adb, "forward", "--remove", f"tcp:{port.decode()}"], check=False)
        with suppress(subprocess.TimeoutExpired):
            started.wait(timeout=2)
        started.kill()


def _connected(port: int, started: subprocess.Popen[bytes]) -> socket.socket | None:
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until and started.poll() is None:
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_S)
            if connection.recv(1):
                connection.settimeout(None)
                return connection
            connection.close()
        time.sleep(0.2)
    return None


def _requests(connection: socket.socket) -> None:
    with suppress(OSError):
        while data := os.read(0, _PIECE):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def _answers(connection: socket.socket) -> None:
    with suppress(OSError):
        while data := connection.recv(_PIECE):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    sys.exit(bridge(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""Handlers that behave as native tools do: they print, raise, crash, hang and go online."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from mobileq.errors import InputError


class Worker:
    """Counts its requests, to show that it lives on between them."""

    def __init__(self):
        self.requests = 0

    def echo(self, fields, arrays):
        self.requests += 1
        return {"fields": fields, "requests": self.requests}, arrays

    def environment(self, fields, arrays):
        return dict(os.environ), {}

    def unwritten(self, fields, arrays):
        size = 2**25  # large: the kernel's, always zero
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        values = ctypes.string_at(libc.malloc(ctypes.c_size_t(size)), size)
        return {"values": sorted(set(values))}, {}

    def value_error(self, fields, arrays):
        raise ValueError("first line\nsecond line")

    def input_error(self, fields, arrays):
        raise InputError("x.onnx is empty.", "Give another.")

    def exit_python(self, fields, arrays):
        sys.exit(3)

    def abort(self, fields, arrays):
        os.abort()

    def abort_amid_a_file(self, fields, arrays):
        (Path(tempfile.mkdtemp()) / "half").write_text("written")
        os.abort()

    def segfault(self, fields, arrays):
        ctypes.string_at(0)

    def exit_at_once(self, fields, arrays):
        os._exit(3)

    def unusual_signal(self, fields, arrays):
        os.kill(os.getpid(), signal.SIGRTMIN + 3)

    def speak(self, fields, arrays):
        print("through Python")  # noqa: T201
        print("complaint", file=sys.stderr)  # noqa: T201
        os.write(1, b"past Python, to stdout\n")
        os.write(2, b"past Python, to stderr\n")
        return {}, {}

    def unsendable(self, fields, arrays):
        return {"path": Path("x")}, {}

    def babble(self, fields, arrays):
        """Write nonsense into the pipe that answers go through, and live on."""
        os.write(int(sys.argv[3]), b"\xff" * 64)
        time.sleep(600)

    def receive(self, fields, arrays):
        """Get a signal, as from outside."""
        os.kill(os.getpid(), fields["signal"])
        time.sleep(600)

    def run_out_of_memory(self, fields, arrays):
        raise MemoryError

    def print_much(self, fields, arrays):
        print("x" * 200_000)  # noqa: T201
        return {}, {}

    def temporary_folder(self, fields, arrays):
        (Path(tempfile.mkdtemp()) / "left").write_text("behind")
        return {"folder": tempfile.gettempdir()}, {}

    def hang(self, fields, arrays):
        Path(fields["started"]).write_text(str(os.getpid()))
        time.sleep(600)


class Online:
    """Tries to get out. Each method gives what came of it."""

    def connect(self, fields, arrays):
        return _outcome(lambda: socket.create_connection(("127.0.0.1", fields["port"]), 2).close())

    def datagram(self, fields, arrays):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            return _outcome(lambda: sender.sendto(b"x", ("127.0.0.1", fields["port"])))

    def look_up(self, fields, arrays):
        return _outcome(lambda: socket.getaddrinfo("example.org", 80))

    def look_up_by_name(self, fields, arrays):
        return _outcome(lambda: socket.gethostbyname("example.org"))

    def listen(self, fields, arrays):
        with socket.socket() as server:
            return _outcome(lambda: server.bind(("127.0.0.1", 0)))

    def fetch(self, fields, arrays):
        url = f"http://127.0.0.1:{fields['port']}/"
        return _outcome(lambda: urllib.request.urlopen(url, timeout=2).close())

    def connect_from_subprocess(self, fields, arrays):
        """No audit hook watches there; the network namespace does."""
        program = f"import socket; socket.create_connection(('127.0.0.1', {fields['port']}), 2)"
        return _outcome(lambda: subprocess.run([sys.executable, "-c", program], check=True))

    def install(self, fields, arrays):
        return _outcome(lambda: subprocess.run(fields["argv"], check=True))

    def install_in_shell(self, fields, arrays):
        return _outcome(lambda: os.system(fields["command"]))

    def exec_installer(self, fields, arrays):
        return _outcome(lambda: os.execvp("pip", ["pip", "install", "x"]))

    def work(self, fields, arrays):
        """What tools do all day."""
        path = Path(fields["folder"]) / "file"
        path.write_text("content")
        subprocess.run(["true"], check=True)
        return {"read": path.read_text(), "uid": path.stat().st_uid}, {}


def _outcome(act):
    try:
        act()
    except Exception as error:
        return {"raised": type(error).__name__, "message": str(error)}, {}
    return {"raised": None}, {}

"""The device of the tests itself: adb's real client finds in it what it finds in a phone."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

from .fixtures import Phones


def test_files_go_there_and_back(phones: Phones, tmp_path: Path) -> None:
    phone, content = phones(), os.urandom(3_000_001)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "it's a file").write_bytes(content)
    said = phones.server.adb("-s", phone.serial, "push", f"{tmp_path}/out", "/data/local/tmp/")
    assert "1 file pushed" in said
    assert (phone.sandbox.temporary / "out" / "it's a file").read_bytes() == content
    assert "out" in phones.server.adb("-s", phone.serial, "ls", "/data/local/tmp")
    phones.server.adb("-s", phone.serial, "pull", "/data/local/tmp/out", f"{tmp_path}/back")
    assert (tmp_path / "back" / "it's a file").read_bytes() == content


def test_a_full_disk_ends_a_push(phones: Phones, tmp_path: Path) -> None:
    phone = phones()
    phone.sandbox.capacity = 1_000_000
    (tmp_path / "big").write_bytes(bytes(2_000_000))
    said = phones.server.adb("-s", phone.serial, "push", f"{tmp_path}/big", "/data/local/tmp/big")
    assert "No space left on device" in said
    assert not (phone.sandbox.temporary / "big").exists()


def test_forward_leads_to_what_listens_on_the_device(phones: Phones) -> None:
    phone = phones()

    def echo(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data.upper())

    for family, address, remote in (
        (socket.AF_INET, ("127.0.0.1", 0), "tcp:{}"),
        (
            socket.AF_UNIX,
            f"\0mobileq-test-{os.getpid()}",
            f"localabstract:mobileq-test-{os.getpid()}",
        ),
    ):
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        port = listener.getsockname()[1] if family == socket.AF_INET else 0
        served = threading.Thread(target=echo, args=(listener,))
        served.start()
        local = phones.server.adb("-s", phone.serial, "forward", "tcp:0", remote.format(port))
        with socket.create_connection(("127.0.0.1", int(local))) as connection:
            connection.sendall(b"hello")
            assert connection.recv(5) == b"HELLO"
        served.join(10)


def test_exec_is_raw_and_the_log_is_shown(phones: Phones) -> None:
    phone = phones()
    phone.sandbox.write("data/local/tmp/raw", b"a\r\nb\xff\n")
    command = ["adb", "-s", phone.serial, "exec-out", "cat /data/local/tmp/raw"]
    assert subprocess.run(command, capture_output=True).stdout == b"a\r\nb\xff\n"
    assert "beginning of main" in phones.server.adb("-s", phone.serial, "logcat", "-d")

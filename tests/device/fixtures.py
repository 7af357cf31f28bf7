"""Devices on adb, for the tests of several packages: their conftest takes these fixtures in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .loopback import LoopbackDevice
from .server import PrivateServer


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """adb's server of all tests of a session."""
    server = PrivateServer(tmp_path_factory.mktemp("adb"))
    yield server
    server.close()


class Phones:
    """Makes devices and plugs them in."""

    def __init__(self, server: PrivateServer, folder: Path) -> None:
        self.server, self._folder = server, folder
        self._made: list[LoopbackDevice] = []

    def __call__(self, **options: Any) -> LoopbackDevice:
        """One more; `options` as of LoopbackDevice."""
        made = LoopbackDevice(self._folder / f"phone{len(self._made)}", **options)
        self._made.append(made)
        self.server.adb("connect", made.serial)
        return made

    def plug(self, phone: LoopbackDevice) -> None:
        """Put a cable in again, and wait until adb has seen it."""
        phone.plug()
        until = time.monotonic() + 120
        while self.server.adb("-s", phone.serial, "get-state").strip() != "device":
            assert time.monotonic() < until
            self.server.adb("connect", phone.serial)
            time.sleep(0.1)

    def close(self) -> None:
        """Unplug all."""
        for each in self._made:
            each.close()
            self.server.adb("disconnect", each.serial)


@pytest.fixture
def phones(
    adb_server: PrivateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Phones]:
    """No device to begin with; call it for one."""
    adb_server.enter(monkeypatch)
    made = Phones(adb_server, tmp_path)
    yield made
    made.close()

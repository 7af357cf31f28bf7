"""adb's real server, in private: on a port and with keys of its own, ended afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

_OTHERS = ("ANDROID_SERIAL", "ADB_SERVER_SOCKET", "ANDROID_HOME", "ANDROID_SDK_ROOT")


class PrivateServer:
    """An environment in which adb is another than the person's at the machine."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("adb") is None:
            pytest.skip("adb is missing (Debian: apt install adb)")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._own = {
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",  # looks for no emulators
        }
        self._environment = {**os.environ, **self._own}
        for name in _OTHERS:
            self._environment.pop(name, None)
        # As a daemon it would outlive tests that are killed.
        with_parent = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*with_parent, "adb", "-P", str(self.port), "nodaemon", "server"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        until = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Make it that of this process."""
        for name, value in self._own.items():
            patch.setenv(name, value)
        for name in _OTHERS:
            patch.delenv(name, raising=False)

    def adb(self, *arguments: str) -> str:
        """What adb itself says."""
        done = subprocess.run(
            ["adb", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            env=self._environment,
        )
        return done.stdout + done.stderr

"""Where adb is found, and what is no adb."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.android import toolchain
from mobileq.device.adb import Adb, OverdueError, find_adb
from mobileq.device.listing import listed
from mobileq.errors import MissingDependencyError, UsageError


def program(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nowhere")
def test_the_named_one_comes_first_then_path_then_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingDependencyError, match="no adb on PATH") as caught:
        find_adb()
    assert "--adb" in caught.value.hint
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    in_sdk = program(tmp_path / "sdk" / "platform-tools" / "adb")
    assert find_adb().path == str(in_sdk)
    on_path = program(tmp_path / "bin" / "adb")
    assert find_adb().path == str(on_path)
    assert find_adb(program(tmp_path / "mine")).path == str(tmp_path / "mine")


def test_what_is_no_adb_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no program"):
        find_adb(tmp_path)
    with pytest.raises(UsageError, match="does not answer as adb does"):
        listed(find_adb(program(tmp_path / "true")))
    broken = program(tmp_path / "broken")
    broken.write_bytes(b"\x7fELF")
    with pytest.raises(UsageError, match="cannot be run: Exec format error"):
        listed(Adb(str(broken)))


def test_one_that_never_answers_is_given_up(tmp_path: Path) -> None:
    hanging = program(tmp_path / "adb", "echo begun; exec sleep 60")
    with pytest.raises(OverdueError, match=r"no answer to `devices` within 0.5 s") as caught:
        listed(Adb(str(hanging), limit_s=0.5))
    assert caught.value.out == b"begun\n"
    assert "adb kill-server" in caught.value.hint

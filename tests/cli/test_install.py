"""`mobileq install`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.android import toolchain
from mobileq.device import install
from tests.android.apks import write_apk
from tests.android.bundles import write_bundle
from tests.device.fixtures import Phones

from .commands import Cli


def test_what_a_person_reads(
    cli: Cli, phones: Phones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_SETTLED_S", 0.1)
    phone, apk = phones(), write_apk(tmp_path / "app.apk")
    result = cli("install", apk)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{phone.serial}: com.example.birds installed and started (0.00 MB).\n"
    assert cli("install", apk, "--no-launch", "--json").document["activity"] is None
    phone.sandbox.write("etc/refusal", "INSTALL_FAILED_UPDATE_INCOMPATIBLE: signatures")
    said = cli.fails(5, "install", apk)
    assert "signed with another key, is on it (INSTALL_FAILED_UPDATE_INCOMPATIBLE)." in said
    assert f"adb -s {phone.serial} uninstall com.example.birds" in said


def test_a_project_where_nothing_builds_it(
    cli: Cli, phones: Phones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones()
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    bundle = write_bundle(tmp_path / "birds")
    assert (
        cli(
            "android", bundle, "-o", tmp_path / "app", "--application-id", "a.b", "--name", "A"
        ).code
        == 0
    )
    said = cli.fails(4, "install", tmp_path / "app")
    assert "The app cannot be built on this computer. Android SDK: not found" in said
    assert "sdkmanager" in said

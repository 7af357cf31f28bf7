"""An app onto a phone."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

import mobileq
from mobileq.device import install as steps
from tests.android.apks import write_apk
from tests.device.fixtures import Phones

CRASH = """--------- beginning of crash
11-28 11:58:01.110  4001  4001 E AndroidRuntime: Process: com.example.birds, PID: 4001
11-28 11:58:01.110  4001  4001 E AndroidRuntime: java.lang.OutOfMemoryError: of yesterday
11-28 12:00:01.123  4711  4711 E AndroidRuntime: FATAL EXCEPTION: main
11-28 12:00:01.123  4711  4711 E AndroidRuntime: Process: com.example.birds, PID: 4711
11-28 12:00:01.123  4711  4711 E AndroidRuntime: java.lang.UnsatisfiedLinkError: dlopen failed
11-28 12:00:01.123  4711  4711 E AndroidRuntime: \tat java.lang.Runtime.load(Runtime.java:1)
"""


@pytest.fixture
def apk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(steps, "_SETTLED_S", 0.1)
    return write_apk(tmp_path / "my app.apk", abis=("arm64-v8a",))


def install(app: Path, **options: Any) -> mobileq.Installed:
    options.setdefault("progress", mobileq.Silent())
    return mobileq.install(app, **options)


def test_it_is_installed_allowed_the_camera_and_started(phones: Phones, apk: Path) -> None:
    phone = phones()
    done = install(apk)
    assert (done.serial, done.application_id) == (phone.serial, "com.example.birds")
    assert (done.activity, done.may_use_camera) == (
        "com.example.birds/mobileq.app.MainActivity",
        True,
    )
    there = phone.sandbox.root / "installed"
    assert (there / "app.apk").read_bytes() == apk.read_bytes()
    assert {"-r", "-t", "-g"} <= set((there / "how").read_text().split())
    assert (there / "granted").read_text() == "grant com.example.birds android.permission.CAMERA\n"
    assert (there / "running").read_text().strip() == done.activity


def test_it_need_not_be_started(phones: Phones, apk: Path) -> None:
    phone = phones()
    assert install(apk, launch=False).activity is None
    assert not (phone.sandbox.root / "installed" / "running").exists()


REFUSALS = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE: Package com.example.birds signatures do not match "
    "previously installed version; ignoring!": ("another key", "uninstall com.example.birds"),
    "INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: Update version code 1 is older than "
    "current 2": ("a newer version", "uninstall com.example.birds"),
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": ("too little space", "shell df -h /data"),
    "INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113": (
        "libraries are for (arm64-v8a)",
        "--abi",
    ),
    "INSTALL_FAILED_OLDER_SDK: Failed parse during installPackageLI: Requires newer sdk version "
    "#30 (current version is #26)": ("Android is too old", "--min-sdk 24"),
    "INSTALL_FAILED_USER_RESTRICTED: Install canceled by user": ("declined", "over USB"),
    "INSTALL_PARSE_FAILED_NO_CERTIFICATES: Failed to collect certificates from /data/app/x": (
        "not signed",
        "apksigner sign",
    ),
    "INSTALL_FAILED_VERIFICATION_FAILURE": ("Play Protect", "verifier_verify_adb_installs 0"),
    "INSTALL_FAILED_DEXOPT: of [tomorrow] {x}": ("of [tomorrow] {x} (INSTALL", "PackageManager"),
}


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda text: text.split(":")[0])
def test_a_refusal_has_its_cause_and_a_command(phones: Phones, apk: Path, refusal: str) -> None:
    phone = phones()
    phone.sandbox.write("etc/refusal", refusal)
    told, remedy = REFUSALS[refusal]
    with pytest.raises(mobileq.DeviceError) as caught:
        install(apk)
    assert told in caught.value.message
    assert refusal.split(":")[0] in caught.value.message
    assert remedy in caught.value.hint
    if "adb" in caught.value.hint:
        assert f"adb -s {phone.serial} " in caught.value.hint or "--abi" in remedy


def test_a_phone_that_does_not_let_adb_allow_the_camera(phones: Phones, apk: Path) -> None:
    phone, quiet = phones(), mobileq.Silent()
    phone.sandbox.write("etc/no_grant", "")
    assert not install(apk, progress=quiet).may_use_camera
    assert "allow it when the app asks" in quiet.notices[0]


def test_an_app_that_ends_as_it_starts_says_its_exception(phones: Phones, apk: Path) -> None:
    phone = phones()
    phone.sandbox.write("etc/crashes", CRASH)
    with pytest.raises(mobileq.DeviceError) as caught:
        install(apk)
    assert caught.value.message == (
        "com.example.birds ended as it started: java.lang.UnsatisfiedLinkError: dlopen failed."
    )
    assert "logcat -b crash -d" in caught.value.hint


def test_an_app_that_cannot_be_started(phones: Phones, apk: Path) -> None:
    phone = phones()
    phone.sandbox.write("etc/am_error", "Error type 3\nError: Activity class {x} does not exist.\n")
    with pytest.raises(mobileq.DeviceError, match="does not start: Error type 3"):
        install(apk)
    (phone.sandbox.root / "etc" / "activity").unlink()
    with pytest.raises(mobileq.DeviceError, match="has no screen to start"):
        install(apk)


def test_slips_are_said_before_anything_is_built(phones: Phones, apk: Path) -> None:
    with pytest.raises(mobileq.DeviceError, match="No phone is connected"):
        install(apk)
    phones()
    with pytest.raises(mobileq.UsageError, match="no file or folder"):
        install(apk.parent / "none")
    with pytest.raises(mobileq.InputError, match=r"no settings\.gradle"):
        install(apk.parent)
    (apk.parent / "text").write_text("x")
    with pytest.raises(mobileq.InputError, match="is no APK"):
        install(apk.parent / "text")


def test_a_cable_that_is_pulled_out_meanwhile(phones: Phones, apk: Path) -> None:
    phone = phones()
    with zipfile.ZipFile(apk, "a") as archive:
        archive.writestr("assets/model.tflite", os.urandom(3_000_000))
    phone.cut_after(1_000_000, back=False)
    with pytest.raises(mobileq.DeviceError, match="broke while com"):
        install(apk)

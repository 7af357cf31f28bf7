"""`mobileq push`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mobileq.console import Console
from tests.android.bundles import write_bundle
from tests.device.fixtures import Phones

from .commands import Cli, command_line


def test_a_push_the_next_and_taking_it_off(cli: Cli, phones: Phones, tmp_path: Path) -> None:
    phone, bundle = phones(), write_bundle(tmp_path / "birds")
    result = cli("push", bundle)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "sent: models/birds-fp32.tflite",
        "sent: labels.txt",
        "sent: manifest.json",
        f"{phone.serial}:/data/local/tmp/mobileq/birds: 3 files sent (0.00 MB)",
    ]
    assert "birds: everything was there" in cli("push", bundle, "--serial", phone.serial).out
    document = cli("push", bundle, "--artifact", "fp32", "--json").document
    assert document["sent"] == []
    assert len(document["unchanged"]) == 3
    assert "birds: taken off" in cli("push", bundle, "--clean").out
    assert "birds: nothing was there" in cli("push", bundle, "--clean").out


def test_what_a_person_reads_of_a_cut_cable(cli: Cli, phones: Phones, tmp_path: Path) -> None:
    phone = phones()
    bundle = write_bundle(tmp_path / "birds", contents={"tflite": bytes(4_000_000)})
    phone.cut_after(2_500_000)
    result = cli("push", bundle)
    assert (result.code, result.errors) == (0, [])
    assert f"Note: The connection to {phone.serial} broke; waiting for it ..." in result.err
    assert "MB of 4.00 MB." in result.err


def test_ctrl_c_leaves_a_beginning_that_the_next_push_goes_on_with(
    cli: Cli, phones: Phones, tmp_path: Path
) -> None:
    phone = phones()
    bundle = write_bundle(tmp_path / "birds", contents={"tflite": os.urandom(4_000_000)})
    folder = phone.sandbox.temporary / "mobileq" / "birds"
    cat = (phone.sandbox.root / "bin" / "cat").read_text()
    slow = '[ $# -gt 0 ] && exec /bin/cat "$@"\n/usr/bin/head -c 2000000; sleep 60'
    phone.sandbox.install("cat", slow)
    child = subprocess.Popen(command_line("push", bundle), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not any(each.stat().st_size == 2_000_000 for each in folder.glob(".part-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert (child.returncode, said) == (130, "Error: Stopped; no file was left half-written.\n")
    assert not (folder / "manifest.json").exists()
    (phone.sandbox.root / "bin" / "cat").write_text(cat)
    before = phone.received_bytes
    assert cli("push", bundle).code == 0
    assert phone.received_bytes - before < 2_100_000
    assert cli("push", bundle, "--json").document["sent"] == []


def test_no_phone_several_and_no_bundle(cli: Cli, phones: Phones, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "birds")
    assert "No phone is connected." in cli.fails(5, "push", bundle)
    phones(), phones()
    assert "There are 2 devices" in cli.fails(2, "push", bundle)
    assert "There is no folder" in cli.fails(2, "push", tmp_path / "none")


def test_bytes_are_shown_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console()
    with console._err.capture() as shown, console.stage("Sending", 5_000_000, "bytes") as advance:
        advance(2_500_000)
    assert "2.5/5.0 MB" in shown.get()

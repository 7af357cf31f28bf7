"""`mobileq ship` without a phone: what a person reads, exit codes, and what stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mobileq.android import toolchain
from tests.device.fixtures import Phones

from .commands import Cli

pytestmark = pytest.mark.usefixtures("children")


@pytest.fixture
def wanted(demo: Path, tmp_path: Path, phones: Phones) -> tuple[Any, ...]:
    """Of the demo, and nothing on adb."""
    images = demo / "validation" / "images"
    return (
        *("ship", demo / "demo.onnx", "-o", tmp_path / "out", "--precision", "fp32"),
        *("--eval-images", images, "--annotations", demo / "validation.json", "--count", 2),
        *("--application-id", "com.example.shapes"),
    )


def states(document: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["state"] for each in document["stages"]}


def test_without_a_phone_it_ends_with_the_app_and_the_file_to_ship(
    cli: Cli, wanted: tuple[Any, ...], tmp_path: Path
) -> None:
    result = cli(*wanted)
    assert result.code == 0
    lines = result.out.splitlines()
    assert any(line.split()[1:4:2] == ["convert", "done"] for line in lines)
    (left_out,) = (line for line in lines if "left out: " in line)
    assert left_out.startswith("push, bench, install left out: No phone is connected. Plug one in")
    assert "Ship demo-fp32.tflite: it is the only file (" in result.out
    assert lines[-2:] == [f"Bundle: {tmp_path}/out/demo", f"App: {tmp_path}/out/app"]
    assert "Stage 1 of 6: convert." in result.err
    assert (tmp_path / "out" / "app" / "settings.gradle").is_file()

    again = cli(*wanted, "--json")
    assert (again.code, again.err) == (0, "")
    assert states(again.document) == {
        **dict.fromkeys(("convert", "validate", "app"), "as before"),
        **dict.fromkeys(("push", "bench", "install"), "left out"),
    }
    assert again.document["recommendation"]["file"] == "demo-fp32.tflite"

    (tmp_path / "out" / "demo" / "labels.txt").write_text("mine")
    mended = states(cli(*wanted, "--json").document)
    assert (mended["convert"], mended["validate"], mended["app"]) == ("done", "done", "done")


def test_a_stage_that_fails_gives_the_exit_code_and_what_was_done_stays(
    cli: Cli, wanted: tuple[Any, ...], tmp_path: Path
) -> None:
    (tmp_path / "out" / "app").mkdir(parents=True)
    (tmp_path / "out" / "app" / "mine.txt").write_text("mine")
    result = cli(*wanted, "--no-device")
    assert result.code == 2
    assert result.errors[-2].startswith("Error: app: ")
    assert "was not rendered by mobileq" in result.errors[-2]
    assert "push, bench, install left out: No phone is wanted." in result.out
    assert "Ship demo-fp32.tflite" in result.out
    (tmp_path / "out" / "app" / "mine.txt").unlink()
    done = states(cli(*wanted, "--no-device", "--json").document)
    assert (done["validate"], done["app"]) == ("as before", "done")


def test_where_nothing_is_converted_nothing_else_is_done(
    cli: Cli, wanted: tuple[Any, ...], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_text("words")
    result = cli(wanted[0], damaged, *wanted[2:], "--json")
    assert result.code == 1
    assert set(states(result.document).values()) == {"FAILED", "left out"}
    assert result.document["recommendation"] is None
    assert not (tmp_path / "out" / "app").exists()


def test_anothers_bundle_is_not_replaced(
    cli: Cli, wanted: tuple[Any, ...], made_bundle: Path, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(made_bundle, tmp_path / "out" / "demo"))
    result = cli(*wanted)
    assert result.code == 2
    assert "exists already" in result.errors[-2]
    assert (place / "models" / "demo-fp16.tflite").is_file()


def test_slips_are_told_before_any_work(
    cli: Cli, wanted: tuple[Any, ...], demo: Path, tmp_path: Path, phones: Phones
) -> None:
    assert "application id" in cli.fails(2, *wanted[:-2])
    assert "There is no file" in cli.fails(2, "ship", tmp_path / "no.onnx", *wanted[2:])
    assert "There is no device x" in cli.fails(2, *wanted, "--serial", "x")
    assert "--threads" in cli.fails(2, *wanted, "--threads", "many")
    assert "precision" in cli.fails(2, *wanted, "--precision", "int3")
    first, second = phones(), phones()
    told = cli.fails(2, *wanted)
    assert first.serial in told
    assert second.serial in told
    assert not (tmp_path / "out").exists()


def test_without_an_sdk_it_is_said_how_the_app_is_built(
    cli: Cli, wanted: tuple[Any, ...], phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    phones()
    result = cli(*wanted, "--runner", "nowhere")
    assert result.code == 4
    assert (
        "install FAILED: The app cannot be built on this computer. Android SDK: not" in result.out
    )
    assert "bench FAILED: There is no runner in nowhere." in result.out

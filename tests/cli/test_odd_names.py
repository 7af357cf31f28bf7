"""Names that not every system, terminal or document takes: of models, outputs and folders."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from .commands import Cli, assert_explained, names_in, process
from .models import plain

pytestmark = pytest.mark.usefixtures("children")

ODD = os.fsdecode(b"a:b\\c\nd\te\x1b[31mf\xe2\x80\xaeg\xff")
CLEAN = "a_b_c_d_e_[31mf_g_"


@pytest.mark.parametrize("target", ["tflite", "mnn"])
def test_a_model_of_an_odd_name_is_converted_under_a_clean_one(
    cli: Cli, tmp_path: Path, target: str
) -> None:
    model, output = plain(tmp_path / f"{ODD}.onnx"), tmp_path / f"out {ODD}"
    arguments = ("convert", model, "-o", output, "--target", target, "--precision", "fp32")
    result = cli(*arguments)
    assert result.code == 0, result.err
    told = f"The model is called '{CLEAN}': not every system takes the name of its file."
    assert told in result.err
    for char in ("\x1b", "\u202e", "\t"):
        assert char not in result.out + result.err
    assert names_in(output / "models") == [f"{CLEAN}-fp32.{target}"]
    assert cli("verify", output).code == 0
    inspected = cli("inspect", output / "models" / f"{CLEAN}-fp32.{target}", "--json")
    assert json.loads(inspected.out)["format"] == target
    document = json.loads(cli(*arguments, "--force", "--json").out)
    assert document["source"]["file_name"].startswith("a:b")


@pytest.mark.parametrize("command", ["inspect", "sensitivity", "detect"])
def test_an_odd_name_breaks_no_document(cli: Cli, demo: Path, tmp_path: Path, command: str) -> None:
    model = Path(shutil.copy(demo / "demo.onnx", tmp_path / f"{ODD}.onnx"))
    picture = Path(shutil.copy(demo / "validation/images/000.jpg", tmp_path / f"{ODD}.jpg"))
    arguments: dict[str, tuple[object, ...]] = {
        "inspect": (model,),
        "sensitivity": (model, "--calib", tmp_path, "--samples", "1"),
        "detect": (model, picture),
    }
    result = cli(command, *arguments[command], "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)
    shown = cli(command, *arguments[command])
    assert shown.code == 0
    assert "\x1b" not in shown.out + shown.err


def test_a_lone_file_of_an_odd_name_runs(
    cli: Cli, demo: Path, made_bundle: Path, tmp_path: Path
) -> None:
    lone = tmp_path / f"{ODD}.tflite"
    shutil.copy(made_bundle / "models" / "demo-fp32.tflite", lone)
    assert cli("detect", lone, demo / "validation" / "images" / "000.jpg").code == 0


def test_a_name_as_long_as_can_be(cli: Cli, tmp_path: Path) -> None:
    model = plain(tmp_path / ("m" * 250 + ".onnx"))
    result = cli("convert", model, "-o", tmp_path / "out", "--precision", "fp32,dynamic")
    assert result.code == 0, result.err
    assert names_in(tmp_path / "out" / "models")[0] == "m" * 120 + "-dynamic.tflite"


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("o" * 300, 1, "cannot be written: File name too long. Try: Choose a shorter --output."),
        ("/", 2, "/ is the root of the file system. Try: Choose a folder in it."),
        ("///", 2, "/ is the root of the file system. Try: Choose a folder in it."),
        ("/proc/nowhere", 1, "cannot be written"),
        ("/dev/null", 2, "/dev/null exists and is not a folder."),
        ("/dev/null/out", 1, "cannot be written"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    cli: Cli, demo: Path, tmp_path: Path, output: str, code: int, words: str
) -> None:
    place = output if output.startswith("/") else tmp_path / output
    said = cli.fails(code, "convert", demo / "missing.onnx", "-o", place)
    assert words in said  # and not that the model is missing: that comes later


@pytest.mark.parametrize("command", ["detect -o", "detect --coco", "validate", "android"])
def test_other_outputs_that_cannot_be(
    cli: Cli, demo: Path, made_bundle: Path, tmp_path: Path, command: str
) -> None:
    pictures, long = demo / "validation" / "images", tmp_path / ("o" * 300)
    arguments: dict[str, tuple[object, ...]] = {
        "detect -o": (made_bundle, pictures, "-o", long),
        "detect --coco": (made_bundle, pictures, "--coco", long),
        "validate": (made_bundle, "--images", pictures, "-o", long),
        "android": (made_bundle, "-o", long, "--application-id", "a.b", "--name", "A"),
    }
    result = cli(command.split()[0], *arguments[command])
    assert_explained(result, 1)
    assert "File name too long" in result.errors[0]


def test_a_working_folder_that_was_deleted_is_said(demo: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = (
        "import os, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); "
        "sys.argv[1:] = sys.argv[2:]; from mobileq.__main__ import run; run()"
    )
    import subprocess
    import sys

    for arguments in (["inspect", "m.onnx"], ["convert", str(demo / "demo.onnx"), "-o", "out"]):
        done = subprocess.run(
            [sys.executable, "-c", code, str(gone), *arguments], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            "Error: The current folder does not exist any more.",
            "Try: Change to another one: cd ~",
        ]
    assert process("--version").returncode == 0

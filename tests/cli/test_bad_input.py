"""Files that are no models, given to every command that takes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import models
from .commands import Cli, names_in


def _commands(path: Path, demo: Path, output: Path) -> list[tuple[object, ...]]:
    picture = demo / "validation" / "images" / "000.jpg"
    return [
        ("convert", path, "-o", output),
        ("inspect", path),
        ("detect", path, picture, "--coco", output),
    ]


@pytest.mark.parametrize("command", [0, 1, 2], ids=["convert", "inspect", "detect"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "is damaged or was cut off. Try: Export or download the model again."),
        ("text", "is not an ONNX model. Try: Give a file that was exported as ONNX."),
        ("zero", "is empty (0 bytes). Try: Export or download the model again."),
        ("without data", "keeps its weights in 'weights.bin', which is missing. Try: Put 'weigh"),
        ("tflite", "is a model for TFLite, not an ONNX model."),
        ("torch", "is a PyTorch file, not an ONNX model."),
        ("custom", "the custom operator mmcv::RoiAlign (node 'align')"),
    ],
)
def test_what_is_wrong_with_a_model_is_said(
    cli: Cli, demo: Path, tmp_path: Path, kind: str, words: str, command: int
) -> None:
    path = tmp_path / "model.onnx"
    whole = (demo / "demo.onnx").read_bytes()
    if kind == "without data":
        models.without_data(demo / "demo.onnx", path)
    elif kind == "custom":
        models.custom(path)
    else:
        contents = {
            "truncated": whole[: len(whole) // 2],
            "text": b"no model, only words\n" * 9,
            "zero": b"",
            "tflite": b"\x1c\0\0\0TFL3" + bytes(40),
            "torch": b"PK\x03\x04" + bytes(26) + b"archive/data.pkl" + bytes(20),
        }
        path.write_bytes(contents[kind])
    before = names_in(tmp_path)
    said = cli.fails(1, *_commands(path, demo, tmp_path / "out")[command])
    assert words in said
    assert "model" in said.split("Try:")[0]
    assert [name for name in names_in(tmp_path) if name != "logs"] == before


@pytest.mark.parametrize("command", [0, 1, 2], ids=["convert", "inspect", "detect"])
@pytest.mark.parametrize("name", ["missing.onnx", "file/model.onnx", "folder.onnx"])
def test_what_is_not_there_is_a_usage_error(
    cli: Cli, demo: Path, tmp_path: Path, name: str, command: int
) -> None:
    (tmp_path / "file").touch()
    if command == 0:  # a folder is a bundle to the others
        (tmp_path / "folder.onnx").mkdir()
    path = tmp_path / name
    assert str(path) in cli.fails(2, *_commands(path, demo, tmp_path / "out")[command])


def test_a_file_name_cannot_write_escape_codes_or_lines(cli: Cli, tmp_path: Path) -> None:
    said = cli.fails(2, "inspect", tmp_path / "a\x1b[31m\nb[bold]:x:.onnx")
    assert "\x1b" not in said
    assert "b[bold]:x:.onnx" in said

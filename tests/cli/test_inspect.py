"""`mobileq inspect`."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import models
from .commands import Cli

pytestmark = pytest.mark.usefixtures("children")


def test_inspect_describes_an_onnx_file(cli: Cli, demo: Path) -> None:
    result = cli("inspect", demo / "demo.onnx")
    assert (result.code, result.err) == (0, "")
    assert "opset 17" in result.out
    assert "1x3x160x160" in result.out
    assert "Family: yolov8; task: detect" in result.out
    assert "letterbox to 160x160 on 114, RGB" in result.out
    assert "Labels: circle, square, triangle, star\n" in result.out
    assert result.out.index("62 Conv") < result.out.index("1 Softmax"), "most frequent first"


def test_inspect_describes_a_tflite_file(cli: Cli, made_bundle: Path) -> None:
    result = cli("inspect", made_bundle / "models" / "demo-dynamic.tflite")
    assert (result.code, result.err) == (0, "")
    assert "1x160x160x3" in result.out
    assert "62 CONV_2D" in result.out
    assert "Family: yolov8; task: detect" in result.out


@pytest.mark.parametrize("name", ["demo-fp32", "demo-fp16"])
def test_inspect_json_is_one_document(cli: Cli, made_bundle: Path, name: str) -> None:
    result = cli("inspect", made_bundle / "models" / f"{name}.tflite", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.document["format"] == "tflite"
    assert result.document["model"]["labels"] == ["circle", "square", "triangle", "star"]


def test_a_long_list_of_labels_is_shortened_on_the_screen_only(cli: Cli, tmp_path: Path) -> None:
    path = models.eighty_classes(tmp_path / "wide.onnx")
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'labels = "coco80"\n[decode]\nkind = "yolov8"\nclass_count = 80\n'
        'strides = [1]\noutputs = [{name = "y", role = "predictions"}]\n'
    )
    result = cli("inspect", path, "--spec", spec)
    assert result.code == 0, result.err
    shown = "person, bicycle, car, motorcycle, airplane, bus, train, truck, ... 80 in all"
    assert f"Labels: {shown}\n" in result.out
    full = cli("inspect", path, "--spec", spec, "--json").document
    assert len(full["model"]["labels"]) == 80


def test_what_is_not_known_is_a_note_or_in_the_document(cli: Cli, tmp_path: Path) -> None:
    path = models.plain(tmp_path / "plain.onnx")
    result = cli("inspect", path)
    assert result.code == 0
    assert "Family: not known" in result.out
    assert "Note: What its outputs mean is not known" in result.err
    document = cli("inspect", path, "--json").document
    assert any("is not known" in notice for notice in document["notices"])


def test_a_bundle_shows_its_files_and_how_the_model_is_fed(cli: Cli, made_bundle: Path) -> None:
    result = cli("inspect", made_bundle)
    assert (result.code, result.err) == (0, "")
    assert f"{made_bundle}: bundle of 3 files" in result.out
    assert "made from demo.onnx" in result.out
    for line in (
        "demo-fp16.tflite",
        "tflite-dynamic",
        "Family: yolov8",
        "Preprocessing: letterbox",
    ):
        assert line in result.out
    document = cli("inspect", made_bundle, "--json").document
    assert document["format"] == "bundle"
    assert [each["precision"] for each in document["manifest"]["artifacts"]] == [
        *("fp32", "fp16", "dynamic")
    ]
    said = cli.fails(2, "inspect", made_bundle, "--family", "yolox")
    assert "is a bundle, which says itself" in said


def test_a_folder_that_is_no_bundle_is_no_model(cli: Cli, tmp_path: Path) -> None:
    assert "is not a bundle: it has no manifest.json." in cli.fails(1, "inspect", tmp_path)


@pytest.mark.parametrize("suffix", [".tflite", ".mnn"])
def test_an_empty_file_is_named(cli: Cli, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    assert f"{path} is empty (0 bytes)." in cli.fails(1, "inspect", path)


def test_a_damaged_tflite_file(cli: Cli, made_bundle: Path, tmp_path: Path) -> None:
    whole = (made_bundle / "models" / "demo-fp32.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: len(whole) // 3])
    assert "is a damaged TFLite file." in cli.fails(1, "inspect", path)
    path.write_bytes(b"no flatbuffer at all")
    assert "is not a TFLite file." in cli.fails(1, "inspect", path)


def test_a_damaged_mnn_file_names_the_tool_and_its_log(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "damaged.mnn"
    path.write_bytes(b"hello" * 100)
    said = cli.fails(1, "inspect", path)
    assert "MNN" in said
    log = said.split("Its output is in ")[1].rstrip(".")
    assert Path(log).is_file()
    assert Path(log).parent == tmp_path / "logs"

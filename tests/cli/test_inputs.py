"""What a model may take: inputs that are made constants, several inputs, no picture at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from .commands import Cli
from .models import model, saved


def sized(path: Path) -> Path:
    """A picture and its size, as RT-DETR takes them."""
    made = model(
        """g (float[1,3,8,8] x, int64[N,2] sizes) => (float[1,4,8,8] y) {
            side = Constant<value_ints = [0]>()
            row = Gather<axis = 0>(sizes, side)
            width = Gather<axis = 1>(row, side)
            scale = Cast<to = 1>(width)
            c = Conv(x, w)
            y = Mul(c, scale)
        }"""
    )
    return saved(made, path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_set_input_is_a_constant_of_every_file_and_of_the_recipe(
    tmp_path: Path, cli: Cli, grey: Path
) -> None:
    net = sized(tmp_path / "net.onnx")
    calib = ("--calib", grey)
    first = tmp_path / "first"
    result = cli(
        "convert", net, "-o", first, *calib, "--set", "sizes=[3,5]", "--precision", "fp32,int8",
        "--target", "tflite,mnn", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    manifest = result.document
    assert manifest["source"]["set_inputs"] == {"sizes": "[[3, 5]]"}
    assert [each["name"] for each in manifest["model"]["inputs"]] == ["x"]
    recipe = json.loads((first / "recipe.json").read_text())
    assert recipe["set_inputs"] == {"sizes": "[[3, 5]]"}

    again = tmp_path / "again"
    result = cli("convert", net, "-o", again, *calib, "--recipe", first / "recipe.json")
    assert result.code == 0, result.err
    name = "models/net-int8.tflite"
    assert digest(again / name) == digest(first / name)


@pytest.mark.parametrize("command", ["convert", "inspect", "sensitivity", "detect"])
def test_what_cannot_be_set_is_told(tmp_path: Path, cli: Cli, command: str, grey: Path) -> None:
    net = sized(tmp_path / "net.onnx")
    more = {
        "convert": ("-o", tmp_path / "out"),
        "sensitivity": ("--calib", grey),
        "detect": (grey,),
    }.get(command, ())
    message = cli.fails(2, command, net, *more, "--set", "size=[3,5]")
    assert "the input 'size', which the model has not" in message
    assert "Its inputs are: x, sizes." in message


def test_converted_files_have_no_input_to_set(tmp_path: Path, cli: Cli, bundle: Path) -> None:
    (file,) = (bundle / "models").glob("*-fp32.tflite")
    message = cli.fails(2, "inspect", file, "--set", "x=1")
    assert "--set is for ONNX models" in message

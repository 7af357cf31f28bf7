"""What a model may take: inputs that are made constants, several inputs, no picture at all."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from .commands import Cli
from .models import model, saved

pytestmark = pytest.mark.usefixtures("children")


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


def siamese(path: Path) -> Path:
    """Two pictures, or what else has 3 channels, through the same weights."""
    made = model(
        """g (float[1,3,8,8] left, float[1,3,8,8] right) => (float[1,4,8,8] y) {
            a = Conv(left, v)
            b = Conv(right, v)
            c = Relu(a)
            d = Relu(b)
            e = Sub(c, d)
            y = Conv(e, u)
        }"""
    )
    draw = np.random.default_rng(0)
    for name, shape in (("v", (12, 3, 1, 1)), ("u", (4, 12, 1, 1))):
        values = draw.normal(0, 0.3, shape).astype(np.float32)
        made.graph.initializer.append(numpy_helper.from_array(values, name))
    del made.graph.initializer[0]  # `w`
    return saved(made, path)


def tokens(path: Path) -> Path:
    """Token ids, int64."""
    made = model(
        """g (int64[1,6] ids) => (float[1,6,4] y) {
            e = Gather(t, ids)
            h = MatMul(e, m)
            y = Add(h, b)
        }"""
    )
    draw = np.random.default_rng(0)
    for name, shape in (("t", (20, 8)), ("m", (8, 4)), ("b", (4,))):
        values = draw.normal(0, 1, shape).astype(np.float32)
        made.graph.initializer.append(numpy_helper.from_array(values, name))
    del made.graph.initializer[0]  # `w`
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


def measured(manifest: dict[str, Any], name: str) -> float:
    return manifest["measurements"][name].get("sqnr_db", 200.0)


def test_two_inputs_are_calibrated_and_verified_on_their_own_samples(
    tmp_path: Path, cli: Cli
) -> None:
    draw = np.random.default_rng(1)
    rows = {name: draw.normal(0, 3, (20, 3, 8, 8)).astype(np.float32) for name in ("left", "right")}
    np.savez(tmp_path / "rows.npz", **rows)
    result = cli(
        "convert", siamese(tmp_path / "net.onnx"), "-o", tmp_path / "out", "--calib",
        tmp_path / "rows.npz", "--precision", "fp32,int8", "--target", "tflite,mnn", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    manifest = result.document
    assert manifest["calibration"]["count"] == 20
    for target in ("tflite", "mnn"):
        assert measured(manifest, f"{target}-fp32") > 100
        assert 30 < measured(manifest, f"{target}-int8") < 70
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["verifications"]["tflite-int8"]["sample_ids"][0] == "row-000000"
    golden = json.loads((tmp_path / "out/golden/golden.json").read_text())
    assert golden["frame"] is None
    assert [each["name"] for each in golden["inputs"]] == ["left", "right"]
    for entry in golden["inputs"]:
        data = gzip.decompress((tmp_path / "out/golden" / entry["file"]).read_bytes())
        np.testing.assert_array_equal(
            np.frombuffer(data, "<f4").reshape(entry["shape"])[0], rows[entry["name"]][0]
        )
    found = cli("sensitivity", tmp_path / "net.onnx", "--calib", tmp_path / "rows.npz", "--json")
    assert found.code == 0, found.err
    assert len(found.document["groups"]) == 4


def test_token_ids_are_calibrated_and_verified(tmp_path: Path, cli: Cli) -> None:
    np.save(tmp_path / "ids.npy", np.random.default_rng(1).integers(0, 20, (20, 6)))
    result = cli(
        "convert", tokens(tmp_path / "net.onnx"), "-o", tmp_path / "out", "--calib",
        tmp_path / "ids.npy", "--precision", "fp32,fp16,dynamic,int8", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    manifest = result.document
    assert measured(manifest, "tflite-fp32") > 100
    assert measured(manifest, "tflite-int8") > 30
    assert manifest["artifacts"][0]["inputs"][0]["dtype"] in ("int32", "int64")

    found = cli("validate", tmp_path / "out", "--images", tmp_path / "ids.npy", "--json")
    assert found.code == 0, found.err
    assert found.document["images"] == 20
    scores = {each["name"]: each for each in found.document["scores"]}
    assert list(scores) == ["onnx", "tflite-fp32", "tflite-fp16", "tflite-dynamic", "tflite-int8"]
    assert scores["onnx"]["cosine"] is None
    for name, least in (("fp32", 100), ("fp16", 50), ("dynamic", 20), ("int8", 25)):
        measured_here = scores[f"tflite-{name}"]
        assert measured_here["sqnr_db"] > least
        assert 0.99 < measured_here["cosine"] <= 1.0
        assert measured_here["latency_ms"] > 0
        assert measured_here["size_bytes"] > 0
    kept = json.loads((tmp_path / "out/manifest.json").read_text())["measurements"]["tflite-int8"]
    assert kept["validated_sqnr_db"] == round(scores["tflite-int8"]["sqnr_db"], 2)
    table = cli("validate", tmp_path / "out", "--images", tmp_path / "ids.npy", "--count", "3")
    assert "3 samples" in table.out
    assert "SQNR dB" in table.out
    message = cli.fails(
        2, "validate", tmp_path / "out", "--images", tmp_path, "--annotations", tmp_path / "a.json"
    )
    assert "what its outputs mean is not known" in message


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


def test_batch_of_two_is_fed_by_pictures_and_refused_by_the_app(
    tmp_path: Path, cli: Cli, grey: Path
) -> None:
    made = model("g (float[2,3,8,8] x) => (float[2,4,8,8] y) { y = Conv(x, w) }")
    net = saved(made, tmp_path / "net.onnx")
    result = cli(
        "convert", net, "-o", tmp_path / "out", "--calib", grey, "--precision", "fp32",
        "--target", "tflite,mnn", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert measured(result.document, "tflite-fp32") > 100
    assert measured(result.document, "mnn-fp32") > 100
    report = json.loads((tmp_path / "out/report.json").read_text())
    ids = report["verifications"]["tflite-fp32"]["sample_ids"]
    assert ids[:2] == ["120.png, 150.png", "60.png, 90.png"]
    message = cli.fails(
        1, "android", tmp_path / "out", "-o", tmp_path / "app", "--application-id", "com.example.x",
        "--name", "X",
    )  # fmt: skip
    assert "net takes 2 pictures at a time; the app has one." in message


def test_advice_can_be_followed_where_there_are_no_pictures(tmp_path: Path, cli: Cli) -> None:
    made = model("g (float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Conv(x, w) }")
    del made.graph.initializer[:]
    values = np.random.default_rng(0).normal(0, 0.5, (4, 4, 1, 1)).astype(np.float32)
    made.graph.initializer.append(numpy_helper.from_array(values, "w"))
    net = saved(made, tmp_path / "net.onnx")
    message = cli.fails(2, "convert", net, "-o", tmp_path / "out", "--precision", "int8")
    assert "int8 needs samples to calibrate on." in message
    assert "x, float32 [1, 4, 8, 8]" in message
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((20, 8, 8, 4), np.float32))
    result = cli(
        "convert", net, "-o", tmp_path / "out", "--precision", "int8", "--calib",
        tmp_path / "x.npy", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert measured(result.document, "tflite-int8") > 25
    result = cli("convert", net, "-o", tmp_path / "two", "--precision", "fp32")
    assert result.code == 0
    assert "drawn tensors only; give some typical samples (x, float32 [1, 4, 8, 8])" in result.err

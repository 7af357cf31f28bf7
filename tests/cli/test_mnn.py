"""`--target mnn`, from the ONNX file to detections and figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .commands import Cli

pytestmark = pytest.mark.usefixtures("children")


@pytest.fixture(scope="module")
def made(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundle of this module is made, by the first test that needs it."""
    return tmp_path_factory.mktemp("mnn") / "bundle"


@pytest.fixture
def bundle(made: Path, cli: Cli, demo: Path) -> Path:
    """The demo detector as .mnn in every precision; do not change it."""
    if not made.exists():
        result = cli(
            "convert", demo / "demo.onnx", "-o", made, "--target", "mnn",
            "--precision", "fp32,fp16,w8,int8",
            "--calib", demo / "calibration" / "images", "--calib-count", "8",
        )  # fmt: skip
        assert result.code == 0, result
    return made


def boxes(cli: Cli, *arguments: object) -> list[tuple[str, list[float]]]:
    document = cli("detect", *arguments, "--json").document
    (picture,) = document["pictures"]
    assert document["interpreter"].startswith(("MNN ", "onnxruntime "))
    return [(found["label"], found["xyxy"]) for found in picture["objects"]]


def test_every_precision_is_measured_and_small(cli: Cli, bundle: Path, demo: Path) -> None:
    images = demo / "validation" / "images"
    annotations = demo / "validation.json"
    report = bundle.parent / "report.json"
    arguments = ("--images", images, "--annotations", annotations, "-o", report)
    result = cli("validate", bundle, *arguments)
    assert result.code == 0, result
    scores = json.loads(report.read_text())["validation"]["scores"]
    found = {score["name"]: score for score in scores}
    reference = found["onnx"]["accuracy"]["map50_95"]
    assert reference > 0.3
    for name, most in (("fp32", 0.001), ("fp16", 0.002), ("w8", 0.012), ("int8", 0.03)):
        assert found[f"mnn-{name}"]["accuracy"]["map50_95"] > reference - most
    size = {name: score["size_bytes"] for name, score in found.items()}
    assert size["mnn-fp16"] < 0.54 * size["mnn-fp32"]
    assert size["mnn-int8"] < 0.41 * size["mnn-fp32"]


def test_lone_file_says_how_it_is_fed_and_read(cli: Cli, bundle: Path, demo: Path) -> None:
    picture = demo / "validation" / "images" / "000.jpg"
    wanted = boxes(cli, demo / "demo.onnx", picture)
    assert wanted
    found = boxes(cli, bundle / "models" / "demo-fp32.mnn", picture)
    assert [label for label, _ in found] == [label for label, _ in wanted]
    for (_, got), (_, expected) in zip(found, wanted, strict=True):
        assert got == pytest.approx(expected, abs=0.1)


def test_inspection_tells_what_the_file_is(cli: Cli, bundle: Path) -> None:
    found = cli("inspect", bundle / "models" / "demo-int8.mnn", "--json").document
    assert found["model"]["family"]
    assert found["notices"] == []
    assert found["tensor_types"]["int8"] > found["tensor_types"].get("float32", 0)


def test_inspection_lists_the_ranges_of_what_is_int8(cli: Cli, bundle: Path) -> None:
    path = bundle / "models" / "demo-int8.mnn"
    listed = cli("inspect", path, "--json").document["quantized"]
    assert len(listed) > 20
    for each in listed:
        assert each["dtype"] == "int8"
        assert each["min"] == pytest.approx(each["scale"] * (-128 - each["zero_point"]))
        assert each["max"] == pytest.approx(each["scale"] * (127 - each["zero_point"]))
        assert each["min"] <= 0 <= each["max"]
    shown = cli("inspect", path).out
    assert listed[0]["name"] in shown
    assert f"{len(listed) - 20} more activations are in integers; --json has all." in shown
    assert not cli("inspect", bundle / "models" / "demo-w8.mnn", "--json").document["quantized"]


def test_defaults_are_those_of_the_target(cli: Cli, demo: Path, tmp_path: Path) -> None:
    result = cli("convert", demo / "demo.onnx", "-o", tmp_path / "b", "--target", "mnn", "--json")
    assert [each["precision"] for each in result.document["artifacts"]] == ["fp32", "fp16", "w8"]


def test_methods_of_mnn_leave_their_config(cli: Cli, demo: Path, tmp_path: Path) -> None:
    result = cli(
        "convert", demo / "demo.onnx", "-o", tmp_path / "b", "--target", "mnn",
        "--precision", "int8", "--mnn-method", "EMA",
        "--calib", demo / "calibration" / "images", "--calib-count", "4", "--json",
    )  # fmt: skip
    assert result.code == 0, result
    (artifact,) = result.document["artifacts"]
    done, noise = artifact["notes"]
    assert done.startswith("MNN's EMA put")
    assert noise.startswith("Most noise is added at ")
    layers = json.loads((tmp_path / "b" / "report.json").read_text())["layers"]["mnn-int8"]
    assert len(layers) > 100
    assert sum(layer["int8_low"] is not None for layer in layers) > 50
    worst = max(layers, key=lambda layer: layer["added"])
    assert f"at {worst['name']} ({worst['op_type']}: {worst['sqnr_db']:.1f} dB left" in noise
    config = json.loads((tmp_path / "b" / "preprocessConfig.json").read_text())
    assert config["feature_quantize_method"] == "EMA"
    pictures = sorted((tmp_path / "b" / config["path"]).iterdir())
    assert len(pictures) == config["used_image_num"] == 4
    assert cli("verify", tmp_path / "b").code == 0

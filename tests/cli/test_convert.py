"""`mobileq convert`: what it is told, and what it makes of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import onnx
import pytest

from mobileq.targets.info import Tolerance
from mobileq.targets.tflite.target import TfliteTarget

from . import models
from .commands import Cli, Result, fingerprint, names_in

pytestmark = pytest.mark.usefixtures("children")


class Convert:
    """`convert` of the demo detector, to fp32 unless a test says otherwise."""

    def __init__(self, cli: Cli, model: Path, output: Path) -> None:
        self.cli, self.model, self.output = cli, model, output

    def __call__(self, *options: object) -> Result:
        return self.cli(*self._arguments(*options))

    def fails(self, code: int, *options: object) -> str:
        """The message; nothing may have appeared, not even hidden."""
        before = names_in(self.output.parent)
        said = self.cli.fails(code, *self._arguments(*options))
        assert [name for name in names_in(self.output.parent) if name != "logs"] == [
            name for name in before if name != "logs"
        ]
        return said

    def _arguments(self, *options: object) -> tuple[object, ...]:
        precision = () if "--precision" in options else ("--precision", "fp32")
        return ("convert", self.model, "-o", self.output, *precision, *options)


@pytest.fixture
def convert(cli: Cli, demo: Path, tmp_path: Path) -> Convert:
    return Convert(cli, demo / "demo.onnx", tmp_path / "out")


@pytest.fixture
def photos(demo: Path, tmp_path: Path) -> Path:
    """Four pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("000.jpg", "001.jpg", "002.jpg", "003.jpg"):
        shutil.copy(demo / "calibration" / "images" / name, folder)
    return folder


def test_a_bundle_is_made_and_described(convert: Convert, demo: Path) -> None:
    result = convert("--calib", demo / "calibration" / "images", "--calib-count", 4)
    assert result.code == 0
    assert result.errors == []
    assert "demo: compared with ONNX Runtime" in result.out
    assert "│ demo-fp32.tflite │ 1." in result.out
    assert f"Bundle: {convert.output}\n" in result.out
    assert "Ship demo-fp32.tflite: it is the only file (1.58 MB, agreement " in result.out
    assert "Speed was not measured: see `mobileq validate`." in result.out
    assert convert.cli("verify", convert.output).code == 0
    assert set(names_in(convert.output.parent)) <= {"logs", "out"}


def test_json_is_one_document_also_where_there_are_notes(convert: Convert) -> None:
    result = convert("--json")
    assert result.code == 0
    assert result.errors == []
    assert result.document["model"]["name"] == "demo"
    (notice,) = result.document["notices"]
    assert notice.startswith("Without --calib the files are verified on drawn pictures only")
    assert [each["path"] for each in result.document["artifacts"]] == ["models/demo-fp32.tflite"]
    assert result.document["ship"]["file"] == "demo-fp32.tflite"


def test_missing_calibration_is_noted(convert: Convert) -> None:
    assert "Note: Without --calib the files are verified on drawn pictures" in convert().err


def test_unreadable_pictures_are_skipped_with_a_note(convert: Convert, photos: Path) -> None:
    (photos / "zero.jpg").touch()
    (photos / "text.png").write_text("no picture")
    (photos / "readme.txt").write_text("no picture")
    result = convert("--calib", photos)
    assert result.code == 0
    assert "Note: Skipped: zero.jpg is empty." in result.err
    assert "Note: Skipped: text.png is not a picture that can be decoded." in result.err
    assert "readme.txt" in result.err
    manifest = json.loads((convert.output / "manifest.json").read_text())
    assert [name for name, _ in manifest["calibration"]["skipped"]] == ["text.png", "zero.jpg"]
    assert manifest["calibration"]["count"] == 4


def test_fewer_than_half_readable_is_an_error(convert: Convert, photos: Path) -> None:
    for index in range(5):
        (photos / f"zero-{index}.jpg").touch()
    said = convert.fails(1, "--calib", photos)
    assert "Only 4 of 9 samples" in said
    assert "Try: Replace or remove the damaged files." in said


def test_a_lone_picture_that_cannot_be_read_is_named_once(convert: Convert, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    said = convert.fails(1, "--calib", tmp_path / "text.png")
    assert f"samples of {tmp_path}/text.png can be read: text.png is not a picture that" in said


def test_fewer_pictures_than_asked_for_are_noted_and_fewer_than_by_default_are_not(
    convert: Convert, photos: Path
) -> None:
    asked = "were asked for"
    assert asked not in convert("--calib", photos).err
    noted = convert("--calib", photos, "--calib-count", 64, "--force").err
    assert "Note: 64 samples were asked for; photos has 4, which are all used." in noted


def test_an_empty_calibration_folder(convert: Convert, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert "photos holds no images." in convert.fails(1, "--calib", tmp_path / "photos")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--precision", "fp32,fp8"), "--precision can't be 'fp8'. Try: Choose of: fp32, fp16, dy"),
        (("--precision", ","), "No precision was given."),
        (("--target", "mnn", "--precision", "int16x8"), "The target mnn has no int16x8. Try: Cho"),
        (("--precision", "fp32,w8"), "The target tflite has no w8. Try: Choose of: fp32, fp16, dy"),
        (("--mnn-method", "kl"), "--mnn-method can't be 'kl'. Try: Choose of: mobileq, KL, ADMM"),
        (("--mnn-weights", "L2"), "--mnn-weights can't be 'L2'. Try: Choose of: MAX_ABS, ADMM."),
        (("--engine", "fast"), "--engine can't be 'fast'. Try: Choose of: direct, tensorflow."),
        (("--io", "int16"), "--io can't be 'int16'. Try: Choose of: float32, int8, uint8."),
        (("--target", "tensorrt"), "There is no target 'tensorrt'. Try: Choose one of: tflite"),
        (("--target", ""), "No target was given."),
        (("--precision", "int8"), "int8 needs pictures to calibrate on. Try: Add --calib"),
        (("--precision", "fp16,int16x8"), "int16x8 needs pictures to calibrate on."),
        (("--calib-count", 0), "--calib-count must be at least 1."),
        (("--calib-count", -3), "--calib-count must be at least 1."),
        (("--calib", "/nowhere/at/all"), "There is no file or folder /nowhere/at/all."),
        (("--family", "yolox"), "The model is not of the family yolox"),
        (("--family", "resnet"), "There is no family 'resnet'. Try: The families are caffe"),
        (("--labels", "/nowhere/labels.txt"), "There is no file of labels /nowhere/labels.txt."),
        (("--spec", "/nowhere/spec.toml"), "There is no spec file /nowhere/spec.toml."),
        (("--input-shape", "images:1,3,320,320"), "is 160 in the model (1 x 3 x 160 x 160)"),
        (("--input-shape", "pixels:1,3,160,160"), "The model has no input 'pixels'."),
    ],
)
def test_wrong_options(convert: Convert, options: tuple[object, ...], words: str) -> None:
    assert words in convert.fails(2, *options)


def test_model_that_came_quantized_needs_no_pictures(cli: Cli, tmp_path: Path) -> None:
    path = models.quantized(tmp_path / "net.onnx")
    result = cli("convert", path, "-o", tmp_path / "out", "--precision", "fp32,int8")
    assert result.code == 0, result.err
    assert "Note: The model comes quantized: int8 keeps its own scales (2 activations, 1 " in (
        result.err
    )
    assert "Note: Without --calib" in result.err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    plain, int8 = manifest["artifacts"]
    assert int8["recipe"]["calibrator"] == "model"
    assert plain["recipe"].get("calibrator") is None
    assert int8["ops"]["CONV_2D int8"] == 1
    # Of the model as it came, and so of its roundings too: nearly none differ.
    measured = manifest["measurements"]["tflite-int8"]
    assert measured.get("sqnr_db") is None or measured["sqnr_db"] > 55
    assert (tmp_path / "out" / "reference" / "net-quantized.onnx").exists()
    assert cli("verify", tmp_path / "out").code == 0


def test_pictures_for_a_model_that_came_quantized_only_verify(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    path = models.quantized(tmp_path / "net.onnx")
    options = ("--precision", "int8", "--calib", photos)
    result = cli("convert", path, "-o", tmp_path / "out", *options)
    assert result.code == 0, result.err
    assert "the pictures of --calib are used to verify only" in result.err


def test_other_engine_cannot_take_the_models_scales(cli: Cli, tmp_path: Path) -> None:
    path = models.quantized(tmp_path / "net.onnx")
    options = ("--precision", "int8", "--engine", "tensorflow")
    said = cli.fails(2, "convert", path, "-o", tmp_path / "out", *options)
    assert "int8 needs pictures to calibrate on. Try: Add --calib" in said


def test_labels_unlike_the_class_count(convert: Convert, tmp_path: Path) -> None:
    said = convert.fails(1, "--labels", "coco80")
    assert "There are 80 labels, but the model has 4 classes." in said
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\n")
    assert "There are 2 labels" in convert.fails(1, "--labels", labels)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("x = [", 1, "is not valid TOML"),
        ('family = "resnet"', 2, "There is no family 'resnet'."),
        ("colour = 1", 2, "has the unknown key 'colour'. Try: Allowed are family, labels"),
        ('[preprocess]\nwidth = "a"', 2, "field `preprocess.width`: expected `int`"),
        ("[decode]\nclass_count = 7", 2, "holds the 11 values per anchor."),
    ],
)
def test_a_wrong_spec_file(
    convert: Convert, tmp_path: Path, text: str, code: int, words: str
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(text)
    assert words in convert.fails(code, "--spec", spec)


@pytest.mark.parametrize("line", ["width = 99", "image_std = [0, 0, 0]"])
def test_impossible_values_in_a_spec_file(cli: Cli, demo: Path, tmp_path: Path, line: str) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(f"[preprocess]\n{line}\n")
    picture = demo / "validation" / "images" / "000.jpg"
    said = cli.fails(2, "detect", demo / "demo.onnx", picture, "--spec", spec)
    assert line.split()[0] in said


def test_a_wrong_expression_is_a_usage_error(convert: Convert) -> None:
    assert "--keep-float" in convert.fails(2, "--keep-float", "(")


@pytest.mark.parametrize("option", [("--io", "int8"), ("--keep-float", "Conv_3")])
def test_an_option_without_effect_is_noted(convert: Convert, option: tuple[str, str]) -> None:
    assert option[0] in convert(*option).err


def test_an_existing_bundle_needs_force(convert: Convert, bundle: Path) -> None:
    convert.output = bundle
    before = fingerprint(bundle)
    said = convert.fails(2)
    assert f"{bundle} exists already. Try: Replace it with --force." in said
    assert fingerprint(bundle) == before
    assert convert("--force").code == 0
    assert names_in(bundle / "models") == ["demo-fp32.tflite"]


def test_an_existing_bundle_stays_where_the_new_one_fails(
    convert: Convert, bundle: Path, photos: Path
) -> None:
    convert.output = bundle
    before = fingerprint(bundle)
    for path in photos.iterdir():
        path.write_bytes(b"")
    convert.fails(1, "--force", "--calib", photos)
    assert fingerprint(bundle) == before


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_is_no_bundle_is_never_replaced(
    convert: Convert, photos: Path, tmp_path: Path, force: tuple[str, ...]
) -> None:
    convert.output = photos
    before = fingerprint(photos)
    assert "exists and is not a bundle, so it is not replaced." in convert.fails(2, *force)
    assert fingerprint(photos) == before
    convert.output = tmp_path / "file"
    convert.output.write_text("mine")
    assert "exists and is not a folder." in convert.fails(2, *force)
    assert convert.output.read_text() == "mine"


def test_an_output_below_a_file(convert: Convert, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    convert.output = tmp_path / "file" / "out"
    said = convert.cli.fails(1, "convert", convert.model, "-o", convert.output)
    assert f"{convert.output} cannot be written" in said
    assert "Try: Choose an --output in a folder that you may write to." in said


def test_a_dynamic_shape_must_be_given(convert: Convert, tmp_path: Path) -> None:
    convert.model = models.dynamic(tmp_path / "dynamic.onnx")
    said = convert.fails(2)
    assert "The input 'images' has no fixed shape (1 x 3 x h x v)." in said
    assert "--input-shape images:1,3,640,640" in said
    assert convert("--input-shape", "images:1,3,8,16").code == 0


@pytest.mark.parametrize(
    "shape", ["images", "images:", "images:1,3", "images:1,3,0,8", "images:a,b,c,d", "x:1,3,8,8"]
)
def test_a_wrong_input_shape(convert: Convert, tmp_path: Path, shape: str) -> None:
    convert.model = models.dynamic(tmp_path / "dynamic.onnx")
    convert.fails(2, "--input-shape", shape)


def test_a_custom_operator_is_named_with_its_node(convert: Convert, tmp_path: Path) -> None:
    convert.model = models.custom(tmp_path / "custom.onnx")
    assert "the custom operator mmcv::RoiAlign (node 'align')" in convert.fails(1)


def test_a_node_without_a_name_is_named_by_what_it_gives(convert: Convert, tmp_path: Path) -> None:
    made = onnx.load(models.custom(tmp_path / "custom.onnx"))
    made.graph.node[1].name = ""
    convert.model = models.saved(made, tmp_path / "unnamed.onnx")
    assert "mmcv::RoiAlign (the node that gives 'y'), which is not" in convert.fails(1)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_operator_without_counterpart_is_explained(convert: Convert, tmp_path: Path) -> None:
    convert.model = models.unconvertible(tmp_path / "volume.onnx")
    said = convert.fails(1)
    assert "Det (node 'volume')" in said


def test_scores_that_find_nothing_refuse_no_file(
    convert: Convert, photos: Path, tmp_path: Path
) -> None:
    """Where a sigmoid gives next to nothing, ONNX Runtime's own is off by 40 dB, and int8's all."""
    convert.model = models.unsure(tmp_path / "unsure.onnx")
    result = convert("--precision", "fp32,int8", "--calib", photos, "--no-search", "--no-cache")
    assert (result.code, "FAILED" in result.out) == (0, False)


def test_model_that_magnifies_rounding_is_noted(
    convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Held to the last bit, every model does.
    exact = Tolerance(atol=0.0, rtol=0.0, rounding=1e4)
    fp32 = dataclasses.replace(TfliteTarget.info.precision("fp32"), tolerance=exact)
    others = TfliteTarget.info.precisions[1:]
    held = dataclasses.replace(TfliteTarget.info, precisions=(fp32, *others))
    monkeypatch.setattr(TfliteTarget, "info", held)
    result = convert("--no-cache")
    assert result.code == 0
    assert "Note: The model magnifies rounding, as untrained weights do: with sums" in result.err

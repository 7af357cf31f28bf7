"""What `convert` is told about int8, and what it makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mobileq.targets.tflite import contents, flatbuffer
from mobileq.targets.tflite.metadata import embedded_spec
from mobileq.workflows import conversion

from . import models
from .commands import Cli, Result, names_in
from .recipe_files import SAMPLES, artifact, manifest_of, recipe_of

pytestmark = pytest.mark.usefixtures("children")

PICTURE = "001.jpg"


def convert(cli: Cli, demo: Path, output: Path, *options: object) -> Result:
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    return cli("convert", demo / "demo.onnx", "-o", output, *calib, *options)


@dataclass
class Made:
    """Bundles that are made by the first test that needs them; do not change them."""

    cli: Cli
    demo: Path
    folder: Path

    def __call__(self, name: str, code: int, *options: object) -> Path:
        path = self.folder / name
        if not path.exists():
            result = convert(self.cli, self.demo, path, *options)
            assert result.code == code, result
            (self.folder / f"{name}.txt").write_text("\n".join(result.errors))
        return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quantized")


@pytest.fixture
def made(cli: Cli, demo: Path, folder: Path) -> Made:
    return Made(cli, demo, folder)


@pytest.fixture
def searched(made: Made) -> Path:
    """int8 with fitted weights and a float op, within its budget."""
    options = ("--precision", "int8", "--calibrator", "mse", "--repair", "weight-rounding")
    return made("searched", 0, *options, "--keep-float", "/stem/", "--budget", "0.9")


@pytest.fixture
def plain(made: Made) -> Path:
    """int8-full with uint8 at its edges, without a search."""
    options = ("--precision", "int8-full", "--io", "uint8", "--no-search", "--layer-noise")
    return made("plain", 0, *options)


@pytest.fixture
def missed(made: Made) -> Path:
    """int8-full with int8 at its edges, and a budget that no integers can meet."""
    options = ("--precision", "int8-full", "--io", "int8", "--calibrator", "min_max")
    return made("missed", 3, *options, "--repair", "bias-correction", "--budget", "0")


def tensor_types(path: Path) -> set[str]:
    """Of all that the ops take and give."""
    model = flatbuffer.read_model(path)
    (graph,) = model.subgraphs
    assert len(graph.operators) > 100
    return {
        contents.dtype_name(graph.tensors[int(index)])
        for op in graph.operators
        for index in (*op.inputs, *op.outputs)
        if int(index) >= 0
    }


def objects(document: Any) -> list[tuple[str, list[float]]]:
    """Label and box, from left to right."""
    found = document["pictures"][0]["objects"]
    return sorted(((each["label"], each["xyxy"]) for each in found), key=lambda each: each[1])


def test_noise_inside_of_a_file_is_measured_where_it_is_asked_for(
    searched: Path, plain: Path
) -> None:
    assert json.loads((searched / "report.json").read_text())["layers"] == {}
    layers = json.loads((plain / "report.json").read_text())["layers"]["tflite-int8-full"]
    assert len(layers) > 40
    assert all(layer["int8_low"] < layer["int8_high"] for layer in layers)
    assert 10 < layers[0]["sqnr_db"] < 60


def test_manifest_says_how_the_raw_head_is_read(searched: Path) -> None:
    manifest, int8 = manifest_of(searched), artifact(searched, "int8")
    assert int8["recipe"]["head"] == "raw"
    # Not that of a map of a stride without objects, far below 0.
    assert manifest["measurements"]["tflite-int8"]["sqnr_db"] > 15
    assert int8["decode"]["head"] == "raw"
    assert manifest["model"]["decode"].get("head", "decoded") == "decoded"
    assert len(int8["outputs"]) == 6
    assert [each["name"] for each in int8["decode"]["outputs"]] == [
        each["name"] for each in int8["outputs"]
    ]
    # Maps stay as the converter makes them, and it is said how.
    sizes = [(64, 20), (4, 20), (64, 10), (4, 10), (64, 5), (4, 5)]
    for found, (channels, cells) in zip(int8["outputs"], sizes, strict=True):
        model_shape, order = (1, channels, cells, cells), found["permutation"] or (0, 1, 2, 3)
        assert [model_shape[axis] for axis in order] == found["shape"]
    assert int8["ops"]["CONV_2D int8"] > 20
    assert "LOGISTIC float32" in int8["ops"], "what --keep-float names"


@pytest.mark.parametrize(("bundle", "io"), [("plain", "uint8"), ("missed", "int8")])
def test_int8_full_has_no_float_tensor(bundle: str, io: str, request: Any) -> None:
    path = request.getfixturevalue(bundle)
    types = tensor_types(path / "models" / "demo-int8-full.tflite")
    assert types <= {"int8", "uint8", "int32"}
    found = artifact(path, "int8-full")
    ends = (*found["inputs"], *found["outputs"])
    assert {each["dtype"] if each["quant"] else None for each in ends} == {io}
    assert not any("float" in op for op in found["ops"])
    measured = manifest_of(path)["measurements"]["tflite-int8-full"]
    assert measured["agreement_map50_95"] > 0.8


def test_raw_bundle_is_validated(cli: Cli, searched: Path, demo: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    images = ("--images", demo / "validation" / "images")
    truth = ("--annotations", demo / "validation.json")
    result = cli("validate", searched, *images, *truth, "-o", report)
    assert result.code == 0, result
    scores = json.loads(report.read_text())["validation"]["scores"]
    accuracy = {each["name"]: each["accuracy"]["map50_95"] for each in scores}
    assert accuracy["onnx"] > 0.5
    assert accuracy["tflite-int8"] > accuracy["onnx"] - 0.03


@pytest.mark.parametrize("bundle", ["searched", "plain"])
def test_lone_raw_file_is_read_as_its_bundle_is(
    cli: Cli, demo: Path, bundle: str, request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue(bundle)
    picture = demo / "validation" / "images" / PICTURE
    (path,) = (made / "models").glob("*.tflite")
    spec = embedded_spec(path)
    assert spec is not None
    assert spec.decode is not None
    assert spec.decode.head == "raw"
    lone = cli("detect", path, picture, "--json").document
    whole = cli("detect", made, picture, "--json").document
    wanted = cli("detect", demo / "demo.onnx", picture, "--json").document
    assert objects(lone) == objects(whole)
    assert objects(wanted)
    for (label, found), (expected, box) in zip(objects(lone), objects(wanted), strict=True):
        assert label == expected
        assert found == pytest.approx(box, abs=12)


def test_budget_that_is_met_is_reported(searched: Path) -> None:
    report = json.loads((searched / "report.json").read_text())
    budget = report["budgets"]["tflite-int8"]
    assert budget["met"] is True
    assert budget["budget"] == 0.9
    assert budget["labelled"] is False
    assert 0.0 <= budget["decided_lost"] <= 0.9
    plan = report["plans"]["tflite-int8"]
    assert plan["repairs"] == ["weight-rounding"]
    assert plan["keep_float"] == ["/model/stem/act/Mul_output_0"]
    # All integer was good enough: besides what was asked for, no op became float.
    assert {trial["float_groups"] for trial in plan["trials"]} == {1}
    measured = manifest_of(searched)["measurements"]["tflite-int8"]
    assert measured["lost_map50_95"] == pytest.approx(budget["reported_lost"], abs=1e-4)


def test_budget_that_is_missed_leaves_the_best_found(cli: Cli, missed: Path) -> None:
    said = (missed.parent / "missed.txt").read_text().splitlines()
    assert len(said) == 2
    assert said[0].startswith("Error: tflite-int8-full loses 0.")
    assert "more than the budget of 0; the bundle holds the best that was found." in said[0]
    assert said[1].startswith("Try: ")
    report = json.loads((missed / "report.json").read_text())
    budget = report["budgets"]["tflite-int8-full"]
    assert budget["met"] is False
    assert f"{budget['decided_lost']:.4f}" in said[0]
    assert cli("verify", missed).code == 0


def test_budget_that_says_nothing_is_refused(
    cli: Cli, demo: Path, tmp_path: Path, grey: Path
) -> None:
    options = ("--precision", "int8", "--budget", "0.1", "--repair", "", "--calib", grey)
    said = cli.fails(1, "convert", demo / "demo.onnx", "-o", tmp_path / "out", *options)
    assert "A budget of 0.1 says nothing where the float model itself has a mAP50-95 of 0.0" in said
    assert "(4 calibration pictures)" in said
    assert not (tmp_path / "out").exists()


def test_labels_of_other_classes_are_refused_before_anything_is_made(
    cli: Cli, demo: Path, tmp_path: Path, grey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "make_file", None)
    truth = json.loads((demo / "validation.json").read_text())
    known = [{**each, "name": f"my {each['name']}"} for each in truth["categories"]]
    truth["categories"] = [*known, {"id": 99, "name": "other"}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    options = ("--precision", "int8", "--budget", "0.1", "--calib", grey)
    options += ("--annotations", tmp_path / "truth.json")
    arguments = ("convert", demo / "demo.onnx", "-o", tmp_path / "out", *options)
    assert "Try: Add --eval-images FOLDER." in cli.fails(2, *arguments)
    said = cli.fails(1, *arguments, "--eval-images", demo / "validation" / "images")
    assert "The model has 4 classes and the annotations have 5 categories" in said


def test_budget_of_a_model_that_cannot_be_decoded_is_refused(
    cli: Cli, tmp_path: Path, grey: Path
) -> None:
    model = models.plain(tmp_path / "net.onnx")
    options = ("--precision", "int8", "--budget", "0.1", "--calib", grey)
    said = cli.fails(2, "convert", model, "-o", tmp_path / "out", *options)
    assert "--budget is of a task's measure, such as mAP50-95, which takes pictures" in said


def test_pictures_without_objects_are_noted_and_noise_decides(
    cli: Cli, demo: Path, tmp_path: Path, grey: Path
) -> None:
    options = ("--precision", "int8", "--calibrator", "mse", "--repair", "", "--calib", grey)
    result = cli("convert", demo / "demo.onnx", "-o", tmp_path / "out", *options)
    assert result.code == 0, result
    assert "Fewer than 16 pictures in --calib tell little, and results are" in result.err
    assert result.err.count("The ONNX model finds nothing in the pictures that files are comp") == 1
    assert "The model finds nothing in the 4 calibration pictures that decide: files are" in (
        result.err
    )
    plan = json.loads((tmp_path / "out" / "report.json").read_text())["plans"]["tflite-int8"]
    assert {trial["lost"] for trial in plan["trials"]} == {None}


def recipe_in(bundle: Path) -> Any:
    (recipe,) = json.loads((bundle / "recipe.json").read_text())["recipes"]
    return recipe


def test_recipes_make_the_same_bytes(
    cli: Cli, demo: Path, searched: Path, plain: Path, tmp_path: Path
) -> None:
    """Both files at once, from nothing that an earlier run left in the cache."""
    fitted, integers = recipe_in(searched), recipe_in(plain)
    assert fitted["target"] == "tflite"
    assert fitted["recipe"]["repairs"] == ["weight-rounding"]
    again, path = tmp_path / "again", recipe_of(tmp_path, fitted, integers)
    result = convert(cli, demo, again, "--recipe", path, "--no-cache")
    assert result.code == 0, result
    assert names_in(again / "models") == ["demo-int8-full.tflite", "demo-int8.tflite"]
    for bundle in (searched, plain):
        (made,) = (bundle / "models").iterdir()
        assert (again / "models" / made.name).read_bytes() == made.read_bytes()
    assert json.loads((again / "recipe.json").read_text())["recipes"] == [fitted, integers]


def test_recipe_makes_the_same_bytes_with_what_is_in_the_cache(
    cli: Cli, demo: Path, plain: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    result = convert(cli, demo, again, "--recipe", plain / "recipe.json")
    assert result.code == 0, result
    for name in ("models/demo-int8-full.tflite", "recipe.json"):
        assert (again / name).read_bytes() == (plain / name).read_bytes()


def test_float_file_of_an_earlier_run_is_used_again(
    cli: Cli, demo: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobileq.targets.tflite.target._make_base", None)
    options = ("--precision", "int8", "--no-search", "--repair", "", "--keep-float", "/head/")
    result = convert(cli, demo, tmp_path / "out", *options)
    assert result.code == 0, result
    assert cli("verify", tmp_path / "out").code == 0


def test_nothing_is_tried_without_a_search(plain: Path) -> None:
    report = json.loads((plain / "report.json").read_text())
    plan = report["plans"]["tflite-int8-full"]
    assert plan["calibrator"] == "mse"
    assert plan["trials"] == []
    assert plan["decided_on"] == ""
    assert plan["keep_float"] == []
    assert report["budgets"] == {}


@pytest.mark.parametrize(("head", "count"), [("raw", 6), ("decoded", 1), ("auto", 1)])
def test_float_files_get_the_head_that_is_asked_for(
    cli: Cli, demo: Path, tmp_path: Path, head: str, count: int
) -> None:
    output = tmp_path / "out"
    result = convert(cli, demo, output, "--precision", "fp32", "--head", head)
    assert result.code == 0, result
    found = artifact(output, "fp32")
    assert len(found["outputs"]) == count
    assert found["recipe"].get("head", "decoded") == ("raw" if head == "raw" else "decoded")
    measured = manifest_of(output)["measurements"]["tflite-fp32"]
    assert measured["agreement_map50_95"] > 0.999


def test_decoding_stays_in_float_in_int8_files(cli: Cli, demo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    options = ("--precision", "int8", "--head", "decoded", "--no-search")
    assert convert(cli, demo, output, *options).code == 0
    found = artifact(output, "int8")
    assert found["recipe"].get("head", "decoded") == "decoded"
    assert found.get("decode") is None
    assert "SOFTMAX float32" in found["ops"]
    assert manifest_of(output)["measurements"]["tflite-int8"]["agreement_map50_95"] > 0.8


def test_decoding_cannot_be_integers_only(cli: Cli, demo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    options = ("--precision", "int8-full", "--head", "decoded", "--no-search")
    result = convert(cli, demo, output, *options)
    assert result.code == 1
    assert "can't be all integer" in result.errors[0]
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--head", "cooked"), "--head can't be 'cooked'. Try: Choose of: auto, raw, decoded."),
        (("--calibrator", "magic"), "--calibrator can't be 'magic'. Try: Choose of: auto, min_max"),
        (("--budget", "-0.1"), "--budget can't be -0.1."),
        (("--budget", "1"), "--budget can't be 1."),
        (("--budget", "nan"), "--budget can't be nan."),
        (("--budget", "much"), "--budget"),
        (("--budget", "0.1", "--no-search"), "--budget needs a search. Try: Leave out --no-search"),
        (("--annotations", "x.json"), "--annotations is for a budget."),
        (("--eval-images", "x"), "--eval-images come without labels. Try: Add --annotations FILE."),
        (("--budget", "0.1", "--annotations", "/nowhere.json"), "/nowhere.json"),
        (("--repair", "prayer"), "There is no repair 'prayer'. Try: Choose of: input-scaling, wei"),
        (("--recipe", "/nowhere/recipe.json"), "There is no file /nowhere/recipe.json. Try: Check"),
        (("--precision", "int8-full", "--keep-float", "stem"), "int8-full has integer ops only"),
        (("--keep-float", ""), "--keep-float is empty, which matches every op."),
        (("--keep-float", "no-such"), "--keep-float 'no-such' matches no op's output."),
        (
            ("--target", "onnxruntime", "--ort-method", "MinMax", "--keep-float", "no-such"),
            "--keep-float 'no-such' matches no op's output.",
        ),
        (("--keep-float", "sensitive", "--no-search"), "--keep-float sensitive needs a search."),
    ],
)
def test_wrong_options(
    cli: Cli, demo: Path, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    output = tmp_path / "out"
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    arguments = ("convert", demo / "demo.onnx", "-o", output, "--precision", "int8", *calib)
    assert words in cli.fails(2, *arguments, *options)
    assert not output.exists()


def test_pattern_without_a_match_is_told_before_anything_is_made(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "make_file", None)
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    options = ("--precision", "fp32,int8", "--keep-float", "no-such", *calib)
    said = cli.fails(2, "convert", demo / "demo.onnx", "-o", tmp_path / "out", *options)
    assert "matches no op's output. Try: Name tensors before the decoding; " in said


def test_repairs_are_told_what_patterns_keep_in_float(cli: Cli, demo: Path, tmp_path: Path) -> None:
    options = ("--precision", "int8", "--no-search", "--repair", "bias-correction")
    result = convert(cli, demo, tmp_path / "out", *options, "--keep-float", "/stem/")
    assert result.code == 0, result
    recipe = recipe_in(tmp_path / "out")["recipe"]
    assert recipe["keep_float"] == ["/model/stem/act/Mul_output_0"]
    assert recipe["repairs"] == ["bias-correction"]


def test_model_that_cannot_be_decoded_keeps_its_end(cli: Cli, tmp_path: Path, demo: Path) -> None:
    model = models.plain(tmp_path / "net.onnx")
    calib = ("--calib", demo / "calibration" / "images", "--calib-count", 2)
    options = ("--precision", "int8", "--no-search", *calib)
    said = cli.fails(2, "convert", model, "-o", tmp_path / "out", *options, "--head", "raw")
    assert said
    result = cli("convert", model, "-o", tmp_path / "out", *options)
    assert result.code == 0, result
    assert "decoding" not in result.err  # there is none

"""Recipes that are given, and what contradicts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import models
from .commands import Cli
from .recipe_files import SAMPLES, artifact, recipe_of

pytestmark = pytest.mark.usefixtures("children")

RECIPE = {"target": "tflite", "recipe": {"precision": "int8", "calibrator": "mse"}}


@pytest.mark.parametrize(
    ("recipes", "options", "code", "words"),
    [
        ([RECIPE], ("--target", "mnn"), 2, "has no recipe for mnn. Try: Choose another --target: "),
        ([RECIPE, RECIPE], (), 1, "has two recipes for one precision."),
        ([], (), 1, "has no recipe."),
        ([{**RECIPE, "recipe": {"precision": "w8"}}], (), 2, "The target tflite has no w8"),
        (
            [{"target": "mnn", "recipe": {"precision": "int8", "engine": "tensorflow"}}],
            ("--target", "mnn"),
            1,
            "field `recipes[0].recipe.engine`: MNN has no 'tensorflow'; choose of direct.",
        ),
        ([{**RECIPE, "recipe": {"precision": "int8", "per_channel": False}}], (), 2, "per_channel"),
        ([{**RECIPE, "recipe": {"precision": "int8", "calibrator": "magic"}}], (), 1, "'magic'"),
        ([{**RECIPE, "recipe": {"precision": "int8", "repairs": ["prayer"]}}], (), 1, "'prayer'"),
        ([{**RECIPE, "recipe": {"precision": "int8", "keep_float": ["x"]}}], (), 2, "matches no"),
    ],
)
def test_wrong_recipes(
    cli: Cli,
    demo: Path,
    tmp_path: Path,
    recipes: list[Any],
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    path = recipe_of(tmp_path, *recipes)
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    arguments = ("convert", demo / "demo.onnx", "-o", tmp_path / "out", *calib)
    assert words in cli.fails(code, *arguments, "--recipe", path, *options)
    assert not (tmp_path / "out").exists()


SETTLED = [
    ("--keep-float", "x"),
    ("--calibrator", "mse"),
    ("--repair", "input-scaling"),
    ("--budget", "0.1"),
    ("--no-search",),
    ("--io", "int8"),
    ("--head", "raw"),
    ("--engine", "tensorflow"),
]
"""What a recipe says itself."""


@pytest.mark.parametrize("option", SETTLED, ids=lambda option: option[0])
@pytest.mark.parametrize("asked", [(), ("--precision", "int8")])
def test_option_that_the_recipe_overrules_is_refused(
    cli: Cli, tmp_path: Path, option: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    path = recipe_of(tmp_path, RECIPE)
    model, output = tmp_path / "none.onnx", tmp_path / "out"
    said = cli.fails(2, "convert", model, "-o", output, "--recipe", path, *asked, *option)
    assert f"{option[0]} would change nothing: {path} says how tflite-int8 is made." in said
    assert f"Try: Leave out {option[0]}, or --recipe; " in said


def test_option_of_mnn_that_the_recipe_overrules_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = recipe_of(tmp_path, {**RECIPE, "target": "mnn"})
    arguments = ("convert", tmp_path / "none.onnx", "-o", tmp_path / "out", "--recipe", path)
    said = cli.fails(2, *arguments, "--target", "mnn", "--mnn-method", "KL")
    assert "--mnn-method would change nothing" in said


@pytest.mark.parametrize("option", SETTLED, ids=lambda option: option[0])
def test_option_that_the_recipe_overrules_for_some_files_is_noted(
    cli: Cli, tmp_path: Path, option: tuple[str, ...]
) -> None:
    path = recipe_of(tmp_path, RECIPE)
    model, output = tmp_path / "none.onnx", tmp_path / "out"
    asked = ("--precision", "fp32,int8,int8-full")
    result = cli("convert", model, "-o", output, "--recipe", path, *asked, *option)
    note = f"Note: {option[0]} does not change tflite-int8, for which there is a recipe."
    assert result.err.splitlines()[0] == note
    assert "There is no file" in result.errors[0]


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (("--precision", "int16x8", "--no-search"), "--no-search is for int8 and changes nothing"),
        (("--precision", "fp32", "--repair", "input-scaling"), "--repair is for int8 and int16x8 "),
        (("--precision", "int8", "--mnn-method", "KL"), "--mnn-method is for int8 of MNN and chan"),
        (("--target", "mnn", "--engine", "tensorflow"), "--engine is for TFLite and changes nothi"),
        (
            ("--precision", "int8", "--engine", "tensorflow", "--budget", "0.1"),
            "--budget does not change tflite-int8, which mobileq does not calibrate.",
        ),
        (
            ("--target", "mnn", "--precision", "int8", "--mnn-method", "KL", "--keep-float", "x"),
            "--keep-float does not change mnn-int8, which mobileq does not calibrate.",
        ),
    ],
)
def test_option_that_is_for_no_file_is_noted(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], note: str
) -> None:
    result = cli("convert", tmp_path / "none.onnx", "-o", tmp_path / "out", *options)
    assert result.err.startswith(f"Note: {note}")


def test_recipe_that_is_for_no_file_is_noted(cli: Cli, tmp_path: Path) -> None:
    path = recipe_of(tmp_path, RECIPE)
    options = ("--recipe", path, "--precision", "fp32")
    result = cli("convert", tmp_path / "none.onnx", "-o", tmp_path / "out", *options)
    assert f"{path} has no recipe for tflite-fp32 and changes nothing here." in result.err


def test_recipe_of_a_model_that_came_quantized_keeps_its_float_ops(
    cli: Cli, tmp_path: Path
) -> None:
    model, again = models.quantized(tmp_path / "net.onnx", kernel=3), tmp_path / "again"
    recipe = {"precision": "int8", "calibrator": "model", "keep_float": ["y"]}
    path = recipe_of(tmp_path, {"target": "tflite", "recipe": recipe})
    result = cli("convert", model, "-o", again, "--recipe", path)
    assert result.code == 0, result
    # The op has scales: nothing but the recipe makes it float.
    assert artifact(again, "int8")["recipe"]["keep_float"] == ["y"]
    assert "the model has no scales" not in result.err


@pytest.mark.slow
@pytest.mark.tensorflow
def test_recipe_names_the_engine(cli: Cli, demo: Path, tmp_path: Path) -> None:
    model, first, again = (
        models.plain(tmp_path / "net.onnx"),
        tmp_path / "first",
        tmp_path / "again",
    )
    calib = ("--calib", demo / "calibration" / "images", "--calib-count", 2)
    options = ("--precision", "int8", "--engine", "tensorflow", *calib)
    assert cli("convert", model, "-o", first, *options).code == 0
    recipe = ("--recipe", first / "recipe.json", "--precision", "fp32,int8", "--no-cache")
    assert cli("convert", model, "-o", again, *recipe, *calib).code == 0
    name = "models/net-int8.tflite"
    assert (again / name).read_bytes() == (first / name).read_bytes()
    assert artifact(again, "fp32")["recipe"]["engine"] == "direct"


def test_recipe_of_the_direct_engine_is_not_made_by_another(cli: Cli, tmp_path: Path) -> None:
    model, calib = models.unconvertible(tmp_path / "volume.onnx"), tmp_path / "calib.npy"
    np.save(calib, np.ones((2, 4, 4), np.float32))
    path = recipe_of(tmp_path, {"target": "tflite", "recipe": {"precision": "int16x8"}})
    result = cli("convert", model, "-o", tmp_path / "out", "--recipe", path, "--calib", calib)
    assert "no TFLite translation of Det" in result.errors[0]
    assert "trying the engine" not in result.err


def test_recipe_needs_pictures(cli: Cli, demo: Path, tmp_path: Path) -> None:
    path = recipe_of(tmp_path, RECIPE)
    arguments = ("convert", demo / "demo.onnx", "-o", tmp_path / "out", "--recipe", path)
    assert "int8 needs pictures to calibrate on." in cli.fails(2, *arguments)

"""Options of `convert`: what they mean for each file, and which are refused or change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mobileq.errors import UsageError
from mobileq.manifest import to_json
from mobileq.quantize.options import QuantOptions
from mobileq.spec import ModelSpec, PreprocessSpec, QuantRecipe, TensorSpec
from mobileq.workflows.recipe_file import RecipeFile, TargetRecipe
from mobileq.workflows.request import ConvertOptions, Request


def request(**options: Any) -> Request:
    return Request(ConvertOptions(**options))


def recipe_file(tmp_path: Path, **fields: Any) -> Path:
    recipe = QuantRecipe(precision="int8", calibrator="mse", **fields)
    path = tmp_path / "recipe.json"
    path.write_bytes(to_json(RecipeFile(recipes=(TargetRecipe(target="tflite", recipe=recipe),))))
    return path


def test_files_are_the_precisions_of_each_target_in_order() -> None:
    assert request().files == (("tflite", "fp32"), ("tflite", "fp16"), ("tflite", "dynamic"))
    asked = request(targets=("mnn", "tflite"), precisions=("int8", "fp32"))
    assert asked.files == (
        *(("mnn", "int8"), ("mnn", "fp32"), ("tflite", "int8"), ("tflite", "fp32")),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precisions": ("int9",)}, "--precision can't be 'int9'"),
        ({"precisions": ()}, "No precision was given"),
        ({"targets": ()}, "No target was given"),
        ({"targets": ("mnn",), "precisions": ("int16x8",)}, "The target mnn has no int16x8"),
        ({"target_options": {"engine": "tvm"}}, "--engine can't be 'tvm'"),
        ({"target_options": {"colour": "red"}}, "No target has 'colour'"),
        ({"calib_count": 0}, "--calib-count must be at least 1"),
        ({"annotations": Path("a.json")}, "--annotations is for a budget"),
        ({"quantization": QuantOptions(budget=1.5)}, "--budget can't be 1.5"),
        ({"quantization": QuantOptions(budget=0.1, search=False)}, "--budget needs a search"),
        ({"quantization": QuantOptions(keep_float=("(",))}, "is no regular expression"),
        ({"quantization": QuantOptions(keep_float=("",))}, "--keep-float is empty"),
        ({"quantization": QuantOptions(repairs=("prayer",))}, "There is no repair 'prayer'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        request(**options)
    assert words in caught.value.message
    assert caught.value.hint


def spec_of(*shape: int) -> ModelSpec:
    inputs = (TensorSpec(name="x", shape=shape, dtype="float32"),)
    preprocess = PreprocessSpec(width=8, height=8) if shape == (1, 3, 8, 8) else None
    return ModelSpec(
        name="m", task="unknown", family=None, inputs=inputs, outputs=(), preprocess=preprocess
    )


def test_calibrated_precisions_need_samples_or_scales() -> None:
    pictures, numbers = spec_of(1, 3, 8, 8), spec_of(1, 7)
    request(precisions=("fp32",)).require_ranges(False, pictures)
    request(precisions=("int8",), calib=Path("photos")).require_ranges(False, pictures)
    request(precisions=("int8",)).require_ranges(True, pictures)
    with pytest.raises(UsageError, match="int8 needs pictures"):
        request(precisions=("int8",)).require_ranges(False, pictures)
    with pytest.raises(UsageError, match="int8 needs samples"):
        request(precisions=("int8",)).require_ranges(False, numbers)
    tensorflow = {"engine": "tensorflow"}
    with pytest.raises(UsageError, match="int8 needs pictures"):
        request(precisions=("int8",), target_options=tensorflow).require_ranges(True, pictures)


def test_edges_are_integers_where_all_is_and_float_where_nothing_is() -> None:
    asked = request(precisions=("fp32", "int8", "int8-full"))
    edges = [asked.recipe(file, "raw", "direct").io for file in asked.files]
    assert edges == ["float32", "float32", "int8"]
    asked = request(precisions=("fp32", "int8", "int8-full"), target_options={"io": "uint8"})
    edges = [asked.recipe(file, "raw", "direct").io for file in asked.files]
    assert edges == ["float32", "uint8", "uint8"]


def test_an_engine_that_a_target_lacks_is_its_own() -> None:
    asked = request(
        targets=("tflite", "mnn"), precisions=("fp32",), target_options={"engine": "tensorflow"}
    )
    assert [asked.engine(file) for file in asked.files] == ["tensorflow", "direct"]


def test_options_that_change_nothing_are_told() -> None:
    assert list(request().notices()) == []
    told = list(request(precisions=("fp32",), target_options={"io": "int8"}).notices())
    assert told == ["--io is for int8 of TFLite and changes nothing here."]


def test_a_recipe_settles_its_file_and_nobody_overrules_it(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, keep_float=("a",), io="int8")
    asked = request(recipe=path)
    assert asked.files == (("tflite", "int8"),)
    settled = asked.quantization(("tflite", "int8"))
    assert (settled.calibrator, settled.search) == ("mse", False)
    assert asked.recipe(("tflite", "int8"), "raw", "direct").io == "int8"
    assert list(asked.notices()) == []
    overruled = request(recipe=path, quantization=QuantOptions(calibrator="admm"))
    with pytest.raises(UsageError, match="--calibrator would change nothing"):
        list(overruled.notices())
    with pytest.raises(UsageError, match="has no recipe for mnn"):
        request(recipe=path, targets=("mnn",))


def test_converter_that_was_started_ends_where_the_model_is_no_good() -> None:
    asked = request(targets=("tflite",))
    target, told = asked.targets["tflite"], list[str]()
    closed = target.close

    def close() -> None:
        told.append("closed")
        closed()

    target.close = close  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no good"), asked.converters():
        raise ValueError("no good")
    assert told == ["closed"]

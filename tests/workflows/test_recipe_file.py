"""recipe.json, written by us and edited by people: what is read is what was meant, or an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.manifest import to_json
from mobileq.quantize.repairs import REPAIRS
from mobileq.spec import HeadKind, IoDtype, Precision, QuantRecipe
from mobileq.targets.mnn.info import MnnMethod, MnnWeights
from mobileq.workflows.recipe_file import RecipeFile, TargetRecipe, read_recipes

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), max_size=4).map(
    tuple
)


def one_of(kind: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(kind))


RECIPES = st.builds(
    QuantRecipe,
    precision=one_of(Precision),
    calibrator=st.none() | st.sampled_from(["mse", "model"]),
    keep_float=NAMES,
    repairs=st.lists(st.sampled_from(REPAIRS)).map(tuple),
    head=one_of(HeadKind),
    io=one_of(IoDtype),
)
BY_MNN = st.builds(
    QuantRecipe,
    precision=st.just("int8"),
    options=st.fixed_dictionaries(
        {"mnn_method": one_of(MnnMethod)}, optional={"mnn_weights": one_of(MnnWeights)}
    ),
)
FILES = st.lists(
    st.builds(TargetRecipe, target=st.sampled_from(["tflite", "mnn"]), recipe=RECIPES)
    | st.builds(TargetRecipe, target=st.just("mnn"), recipe=BY_MNN),
    min_size=1,
    max_size=5,
    unique_by=lambda each: (each.target, each.recipe.precision),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recipe.json"


def written(path: Path, *recipes: TargetRecipe) -> Path:
    path.write_bytes(to_json(RecipeFile(recipes=recipes)))
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_recipes(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    return caught.value.message


INT8 = TargetRecipe(
    target="tflite", recipe=QuantRecipe(precision="int8", calibrator="mse", keep_float=("a/Conv",))
)


@SHARED_FOLDER
@given(recipes=FILES)
def test_what_is_written_is_read(path: Path, recipes: list[TargetRecipe]) -> None:
    found = read_recipes(written(path, *recipes))[0]
    assert found == {(each.target, each.recipe.precision): each.recipe for each in recipes}
    assert list(found) == [(each.target, each.recipe.precision) for each in recipes]


def test_targets_have_recipes_of_their_own(path: Path) -> None:
    other = TargetRecipe(target="mnn", recipe=QuantRecipe(precision="int8", calibrator="admm"))
    found = read_recipes(written(path, INT8, other))[0]
    assert found["tflite", "int8"].calibrator == "mse"
    assert found["mnn", "int8"].calibrator == "admm"


def test_two_recipes_for_one_precision_are_refused(path: Path) -> None:
    assert "has two recipes for one precision." in refused(written(path, INT8, INT8))


def test_file_without_recipes_is_refused(path: Path) -> None:
    assert "has no recipe." in refused(written(path))


def test_file_that_is_missing_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file") as caught:
        read_recipes(tmp_path / "none.json")
    assert "--recipe" in caught.value.hint


def test_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path)


def test_enormous_file_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    assert "too much for a recipe" in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 3},
        {"recipes": None},
        {"recipes": {}},
        {"recipes": [{}]},
        {"recipes": [{"target": "tflite"}]},
        {"recipes": [{"target": 1, "recipe": {"precision": "int8"}}]},
        {"recipes": [{"target": "tflite", "recipe": {"precision": "int4"}}]},
        {"recipes": [{"target": "tflite", "recipe": {"precision": "int8", "colour": "red"}}]},
        {"recipes": [{"target": "tflite", "recipe": {"precision": "int8", "keep_float": "a"}}]},
        {"colour": "red"},
    ],
)
def test_wrong_field_is_named(path: Path, change: dict[str, Any]) -> None:
    plain = {"schema_version": 1, "recipes": [{"target": "mnn", "recipe": {"precision": "int8"}}]}
    path.write_text(json.dumps(plain))
    assert read_recipes(path)[0]
    path.write_text(json.dumps({**plain, **change}))
    assert "cannot be used: " in refused(path)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"calibrator": "best"}, "there is no 'best'; choose of min_max"),
        ({"repairs": ["glue"]}, "there is no 'glue'; choose of"),
        ({"options": {"mnn_method": "KL"}}, "TFLite has no option 'mnn_method'"),
        ({"keep_float": [""]}, "expected `str` of length >= 1"),
        ({"engine": "onnx2tf"}, "TFLite has no 'onnx2tf'; choose of direct, tensorflow"),
    ],
)
def test_recipe_that_nothing_can_follow_is_refused(
    path: Path, change: dict[str, Any], part: str
) -> None:
    recipe = {"precision": "int8", **change}
    path.write_text(json.dumps({"recipes": [{"target": "tflite", "recipe": recipe}]}))
    message = refused(path)
    assert part in message
    assert "field `recipes[0].recipe." in message or "`recipes[...].recipe." in message


@pytest.mark.parametrize(
    ("options", "precision", "part"),
    [
        ({"mnn_method": "KL"}, "w8", "options.mnn_method`: it is for int8 of MNN only"),
        ({"mnn_method": "kl"}, "int8", "options.mnn_method`: there is no 'kl'; choose of mobileq"),
        ({"mnn_method": 1}, "int8", "expected `str`"),
        ({"io": "int8"}, "int8", "MNN has no option 'io'"),
    ],
)
def test_options_are_those_of_the_target(
    path: Path, options: dict[str, Any], precision: str, part: str
) -> None:
    recipe = {"precision": precision, "options": options}
    path.write_text(json.dumps({"recipes": [{"target": "mnn", "recipe": recipe}]}))
    assert part in refused(path)


def test_options_of_the_first_version_stood_among_the_fields(path: Path) -> None:
    nothing = {"precision": "int8", "mnn_method": None, "mnn_weights": None}
    by_mnn = {"precision": "int8", "mnn_method": "EMA", "mnn_weights": "ADMM"}
    members = [{"target": "tflite", "recipe": nothing}, {"target": "mnn", "recipe": by_mnn}]
    path.write_text(json.dumps({"schema_version": 1, "recipes": members}))
    found = read_recipes(path)[0]
    assert found["tflite", "int8"] == QuantRecipe(precision="int8")
    options = {"mnn_method": "EMA", "mnn_weights": "ADMM"}
    assert found["mnn", "int8"] == QuantRecipe(precision="int8", options=options)


@settings(SHARED_FOLDER, max_examples=300)
@given(data=st.data())
def test_damaged_file_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    whole = bytearray(to_json(RecipeFile(recipes=(INT8,))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path.write_bytes(whole)
    try:
        read_recipes(path)
    except MobileqError:
        refused(path)


@SHARED_FOLDER
@given(noise=st.binary(max_size=200))
def test_noise_is_refused(path: Path, noise: bytes) -> None:
    path.write_bytes(noise)
    refused(path)


def test_nested_without_end_is_refused(path: Path) -> None:
    path.write_bytes(b'{"recipes": ' + b"[" * 200_000)
    refused(path)

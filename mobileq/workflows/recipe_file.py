"""recipe.json: how a bundle's integer files were made, to make them again or to change by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mobileq.calibration.ranges import Method
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.manifest import from_json, with_options_apart
from mobileq.quantize.given_plan import CALIBRATOR
from mobileq.quantize.repairs import REPAIRS
from mobileq.regular_file import read_regular
from mobileq.spec import CALIBRATED, Artifact, Precision, QuantRecipe, Spec
from mobileq.targets.info import TargetInfo
from mobileq.targets.registry import TARGETS

RECIPE_NAME = "recipe.json"
_HINT = "Take the recipe.json of a bundle as an example."
_MAX_BYTES = 16 * 1024 * 1024
_VERSION: Literal[2] = 2
"""2 has the options of its target apart in a recipe."""


Recipes = dict[tuple[str, Precision], QuantRecipe]
"""By the name of the target and the precision."""


class TargetRecipe(Spec, frozen=True, kw_only=True):
    """How one file was made, and for which target."""

    target: str
    recipe: QuantRecipe


class RecipeFile(Spec, frozen=True, kw_only=True):
    """One recipe for each target and precision.

    `set_inputs` are the inputs that were made constants, with their values as `--set` takes them;
    `fold_preprocessing` says whether the preprocessing was taken into the graph.
    """

    schema_version: Literal[1, 2] = _VERSION
    recipes: tuple[TargetRecipe, ...]
    set_inputs: dict[str, str] = msgspec.field(default_factory=dict)
    fold_preprocessing: bool = False


def recipe_file(
    artifacts: Iterable[Artifact], set_inputs: dict[str, str], *, fold_preprocessing: bool
) -> RecipeFile | None:
    """How the integer files of a bundle were made; None where it has none.

    Args:
        set_inputs, fold_preprocessing: See `RecipeFile`.
    """
    recipes = tuple(
        TargetRecipe(target=each.target, recipe=each.recipe)
        for each in artifacts
        if each.precision in CALIBRATED
    )
    if not recipes:
        return None
    return RecipeFile(recipes=recipes, set_inputs=set_inputs, fold_preprocessing=fold_preprocessing)


def read_recipes(path: Path) -> tuple[Recipes, RecipeFile]:
    """The recipes of a file, and the file as it is.

    Raises:
        UsageError: There is no such file.
        InputError: It cannot be read, a field is wrong, there is no recipe in it, or there are two
            for one precision of one target.
    """
    try:
        data = read_regular(path, _MAX_BYTES, "a recipe")
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.", "Check the path of --recipe.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    data = with_options_apart(data, "recipes", _VERSION)
    file = from_json(data, RecipeFile, str(path), _HINT)
    recipes = file.recipes
    if not recipes:
        raise InputError(f"{path} has no recipe.", _HINT)
    found = {(each.target, each.recipe.precision): each.recipe for each in recipes}
    if len(found) < len(recipes):
        raise InputError(f"{path} has two recipes for one precision.", _HINT)
    for index, each in enumerate(recipes):
        if problem := _contradiction(each):
            raise InputError(f"{path} cannot be used: field `recipes[{index}].{problem}.", _HINT)
    return found, file


def _contradiction(made: TargetRecipe) -> str | None:
    """What of a recipe can't be, as the end of a sentence that begins with its field."""
    recipe = made.recipe
    calibrators = (*get_args(Method), CALIBRATOR)
    if recipe.calibrator is not None and recipe.calibrator not in calibrators:
        return (
            f"recipe.calibrator`: there is no {recipe.calibrator!r}; "
            f"choose of {', '.join(calibrators)}"
        )
    unknown = [name for name in recipe.repairs if name not in REPAIRS]
    if unknown:
        return f"recipe.repairs`: there is no {unknown[0]!r}; choose of {', '.join(REPAIRS)}"
    info = TARGETS.get(made.target)
    return _wrong_option(info, recipe) if info else None


def _wrong_option(info: TargetInfo, recipe: QuantRecipe) -> str | None:
    if recipe.engine not in info.engines:
        return (
            f"recipe.engine`: {info.title} has no {recipe.engine!r}; "
            f"choose of {', '.join(info.engines)}"
        )
    known = {option.name: option for option in info.options}
    for name, value in recipe.options.items():
        if name not in known:
            return f"recipe.options`: {info.title} has no option {name!r}"
        if value not in known[name].choices:
            choices = ", ".join(known[name].choices)
            return f"recipe.options.{name}`: there is no {value!r}; choose of {choices}"
        if not known[name].is_for(recipe.precision):
            return f"recipe.options.{name}`: it is for {known[name].concerns} only"
    return None

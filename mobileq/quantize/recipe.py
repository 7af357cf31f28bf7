"""recipe.json: how a bundle's integer files were made, to make them again or to change by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.manifest import from_json
from mobileq.spec import Precision, QuantRecipe, Spec

_HINT = "Take the recipe.json of a bundle as an example."
_MAX_BYTES = 16 * 1024 * 1024


class RecipeFile(Spec, frozen=True, kw_only=True):
    """One recipe for each precision."""

    schema_version: Literal[1] = 1
    recipes: tuple[QuantRecipe, ...]


def read_recipes(path: Path) -> dict[Precision, QuantRecipe]:
    """The recipes of a file by their precision.

    Raises:
        UsageError: There is no such file.
        InputError: It cannot be read, a field is wrong, or two recipes are for one precision.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} has more than 16 MB, too much for a recipe.", _HINT)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.", "Check the path of --recipe.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    recipes = from_json(data, RecipeFile, str(path), _HINT).recipes
    found = {recipe.precision: recipe for recipe in recipes}
    if len(found) < len(recipes):
        raise InputError(f"{path} has two recipes for one precision.", _HINT)
    return found

"""Recipes to give, and what manifests tell of those that were followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAMPLES = ("--calib-count", 8)


def manifest_of(bundle: Path) -> Any:
    return json.loads((bundle / "manifest.json").read_text())


def artifact(bundle: Path, precision: str) -> Any:
    (found,) = (a for a in manifest_of(bundle)["artifacts"] if a["precision"] == precision)
    return found


def recipe_of(folder: Path, *recipes: Any) -> Path:
    path = folder / "recipe.json"
    path.write_text(json.dumps({"recipes": recipes}))
    return path

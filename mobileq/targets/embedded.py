"""What a file of ours says of its model, in whatever place its format has for that.

One form for all runtimes: `{"mobileq": {"model": ..., "recipe": ...}}`. Beside it stand, where the
format has names for entries, those that other loaders know (Ultralytics').
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobileq.consistency import REDESCRIBE, consistent_model
from mobileq.spec import ModelSpec, QuantRecipe, embedded, embedded_recipe

KEY = "mobileq"


def own_description(spec: ModelSpec, recipe: QuantRecipe) -> dict[str, Any]:
    """What stands under `KEY`."""
    return {"model": embedded(spec), "recipe": embedded_recipe(recipe)}


def common_entries(spec: ModelSpec) -> dict[str, Any]:
    """What other loaders look for: `task`, `names`, `imgsz`, `stride`."""
    found: dict[str, Any] = {"task": spec.task}
    if spec.labels:
        found["names"] = {str(index): label for index, label in enumerate(spec.labels)}
    if spec.preprocess:
        found["imgsz"] = [spec.preprocess.height, spec.preprocess.width]
    if spec.decode and spec.decode.strides:
        found["stride"] = max(spec.decode.strides)
    return found


def described_model(found: Any, path: Path) -> ModelSpec | None:
    """The ModelSpec in what a file says of itself, `found`; None where there is none.

    Raises:
        InputError: There is one, and it is wrong.
    """
    try:
        described = found[KEY]["model"]
    except (KeyError, TypeError):
        return None
    if not isinstance(described, dict):
        return None
    return consistent_model(described, f"The description of the model in {path}", REDESCRIBE)

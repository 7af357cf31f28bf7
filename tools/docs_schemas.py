"""docs/schemas: JSON Schemas of what a bundle holds, made of the types that read it.

python tools/docs_schemas.py    # after a change of these types; a test asks for it
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def kinds() -> dict[str, tuple[type, str]]:
    """By the schema's name: the type, and what files it is for."""
    from mobileq.device_bench import Bench
    from mobileq.evaluate.report import Report
    from mobileq.manifest import BundleManifest
    from mobileq.workflows.recipe_file import RecipeFile

    return {
        "manifest": (
            BundleManifest,
            "manifest.json of a bundle, as `convert --json` prints it too",
        ),
        "report": (Report, "report.json: what was verified, planned and validated"),
        "recipe": (RecipeFile, "recipe.json: how the integer files were made (`--recipe`)"),
        "bench": (Bench, "device/MODEL-DATE.json: times on a phone"),
    }


def schemas() -> dict[str, str]:
    """The texts, by file name."""
    texts = {}
    for name, (kind, what) in kinds().items():
        (found,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        schema: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": what,
            **found,
            "$defs": parts,
        }
        _outdent(schema)
        texts[f"{name}.schema.json"] = json.dumps(schema, indent=2) + "\n"
    return texts


def _outdent(part: Any) -> None:
    """Docstrings keep the source's indent in Python 3.12, and lose it in 3.13."""
    if isinstance(part, list):
        for each in part:
            _outdent(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "description" and isinstance(value, str):
                part[key] = inspect.cleandoc(value)
            else:
                _outdent(value)


def page() -> str:
    """schemas.md: a table for each type, with the fields of what stands in it."""
    lines = [
        "# JSON Schemas",
        "",
        "Of a [bundle](bundle.md)'s files, made of the types that read them (JSON Schema 2020-12).",
        "Unknown fields are errors; files of older versions are read, and written as these.",
        "",
        "| schema | of |",
        "| --- | --- |",
    ]
    for name, (_, what) in kinds().items():
        lines.append(f"| [{name}.schema.json](schemas/{name}.schema.json) | {what} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all, and remove what is none of them."""
    FOLDER.mkdir(exist_ok=True)
    texts = schemas()
    for path in FOLDER.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()

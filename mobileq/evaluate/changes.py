"""What two bundles say otherwise about themselves: models, options, recipes, ops, layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mobileq.evaluate.report import Report
from mobileq.manifest import BundleManifest
from mobileq.spec import Artifact, Spec

_LEAST_DB = 0.5
"""Less noise than that, more or less, is nobody's concern."""
_PLACES = ("--output", "-o", "--force", "--no-cache", "--json", "--project", "--no-project")
"""Of a command line, what says nothing about the files."""


class Changed(Spec, frozen=True, kw_only=True):
    """One thing that is otherwise; None where one of the two has no such thing."""

    what: str
    before: Any
    after: Any


class LayerChange(Spec, frozen=True, kw_only=True):
    """A tensor whose noise is another; SQNR in dB, None where there is none."""

    name: str
    op_type: str
    before_db: float | None
    after_db: float | None

    @property
    def amount(self) -> float:
        """Of decibels; what has no noise at all is far from what has some."""
        if self.before_db is None or self.after_db is None:
            return 0.0 if self.before_db is self.after_db else 100.0
        return abs(self.after_db - self.before_db)


def changes(before: object, after: object) -> tuple[Changed, ...]:
    """All fields and entries that differ, by their paths: `preprocess.width`.

    A list is one thing, unless it holds more than plain values and is as long as before.
    """
    pairs = _differing("", msgspec.to_builtins(before), msgspec.to_builtins(after))
    return tuple(Changed(what=what, before=old, after=new) for what, old, new in pairs)


def _differing(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            name = f"{path}.{key}" if path else str(key)
            yield from _differing(name, before.get(key), after.get(key))
    elif _is_nested(before) and _is_nested(after) and len(before) == len(after):
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differing(f"{path}[{at}]", old, new)
    else:
        yield path, before, after


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value)


def bundle_changes(before: BundleManifest, after: BundleManifest) -> tuple[Changed, ...]:
    """Of all files: the model and its labels, what it was made of, calibration, tools, options."""
    return changes(_said(before), _said(after))


def _said(manifest: BundleManifest) -> dict[str, Any]:
    options = manifest.run.options
    return {
        "model": manifest.model,
        "source": manifest.source,
        "calibration": manifest.calibration,
        "tools": manifest.tool_versions,
        "options": {name: options[name] for name in options if name not in _PLACES},
    }


def recipe_changes(before: Artifact, after: Artifact) -> tuple[Changed, ...]:
    """How they were made, but for the ops that stay float; and how they are fed and read."""
    return changes(_made(before), _made(after))


def _made(artifact: Artifact) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(artifact)
    recipe = {key: value for key, value in built["recipe"].items() if key != "keep_float"}
    return {**recipe, **{key: built[key] for key in ("inputs", "outputs", "decode", "notes")}}


def layer_changes(before: Report, after: Report, name: str) -> tuple[LayerChange, ...]:
    """Tensors of one name whose noise differs in two files of a name, the most first.

    Of a tensor alone as the plan has it; in the file where a tool calibrated one of them by
    itself.
    """
    was, now = _planned(before, name), _planned(after, name)
    if not (was and now):
        was, now = _measured(before, name), _measured(after, name)
    found = [
        LayerChange(name=tensor, op_type=op_type, before_db=was[tensor][1], after_db=new)
        for tensor, (op_type, new) in now.items()
        if tensor in was
    ]
    differing = [each for each in found if each.amount >= _LEAST_DB]
    return tuple(sorted(differing, key=lambda each: (-each.amount, each.name)))


def _planned(report: Report, name: str) -> Mapping[str, tuple[str, float | None]]:
    plan = report.plans.get(name)
    groups = plan.groups if plan else ()
    return {each.name: (each.op_type, each.sqnr_db) for each in groups if not each.is_float}


def _measured(report: Report, name: str) -> Mapping[str, tuple[str, float | None]]:
    return {each.name: (each.op_type, each.sqnr_db) for each in report.layers.get(name, ())}

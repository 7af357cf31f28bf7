"""Reads a `--spec` file: a TOML that corrects or completes what was recognised.

    family = "yolox"                 # optional, as --family
    labels = "coco80"                # or a list of names, or a file beside this one
    [preprocess]                     # fields of PreprocessSpec
    channel_order = "RGB"
    [decode]                         # fields of DecodeSpec; each task may have such a table
    score_threshold = 0.4
    outputs = [{ name = "output", role = "predictions" }]

The same as a text: `--spec 'preprocess.channel_order = "RGB"'`.

For a model that was not recognised, [preprocess] and a task's table together describe it.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mobileq.consistency import absurd_range, contradiction
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.field_errors import field_error
from mobileq.preparation.labels import (
    LabelSource,
    built_in_labels,
    settle_labels,
)
from mobileq.preparation.recognise import Recognition
from mobileq.regular_file import read_regular
from mobileq.spec import ModelSpec, PreprocessSpec, ReadingSpec, Spec, TensorSpec, readings
from mobileq.tasks.recognition import Questions, find_picture, recognisers

_MAX_BYTES = 1 << 20
_CORRECT = "Correct the spec file."


class _Preprocess(PreprocessSpec, frozen=True, kw_only=True):
    """[preprocess], which may say the shortest edge as timm's models do."""

    crop_pct: Annotated[float, Meta(ge=0.01, le=1)] | None = None


@dataclass(frozen=True, kw_only=True)
class SpecOverrides:
    """What a spec file says; `preprocess` and `readings` hold just the fields it gives, the latter
    by `ReadingSpec.section`."""

    path: Path
    family: str | None = None
    labels: LabelSource | None = None
    preprocess: Mapping[str, object] = field(default_factory=dict)
    readings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def sets_class_count(self) -> bool:
        """Then names are held against that number, and not against what was recognised."""
        return any("class_count" in fields for fields in self.readings.values())


def _reading_kinds() -> dict[str, tuple[str, type[ReadingSpec]]]:
    """Section -> the task whose it is, and its fields."""
    kinds = {task: room.READING for task, room in recognisers()}
    return {kind.section: (task, kind) for task, kind in kinds.items() if kind is not None}


def read_spec_file(path: str | Path) -> SpecOverrides:
    """Read a spec file, or what stands in the place of its path: text with a `=`.

    Raises:
        UsageError: There is no such file, a key is unknown (the allowed ones are named), or a value
            has the wrong type.
        InputError: It is not TOML.
    """
    path = Path(path)
    content = _read_toml(path)
    kinds = _reading_kinds()
    _refuse_unknown(content, ("family", "labels", "preprocess", *kinds), path, "")
    family = content.get("family")
    if family is not None and not isinstance(family, str):
        raise _wrong(path, "family", "it must be a text")
    preprocess = _table(content, "preprocess", _Preprocess, path)
    tables = {section: _table(content, section, kind, path) for section, (_, kind) in kinds.items()}
    given = [f"[{section}]" for section, table in tables.items() if table]
    if len(given) > 1:
        raise _refused(path, f"{' and '.join(given)} say what two different models give")
    return SpecOverrides(
        path=path,
        family=family,
        labels=_labels(content.get("labels"), path),
        preprocess=preprocess,
        readings={section: table for section, table in tables.items() if table},
    )


def _is_text(path: Path) -> bool:
    return "=" in str(path) and not os.path.exists(path)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        if _is_text(path):
            return tomllib.loads(str(path))
        return tomllib.loads(read_regular(path, _MAX_BYTES, "a spec file").decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"There is no spec file {path}.", "Check the path of --spec.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.", "Correct the file.") from error
    except ValueError as error:
        raise InputError(f"The spec file {path} cannot be read.", "Save it as UTF-8.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _refuse_unknown(
    content: Mapping[str, object], allowed: tuple[str, ...], path: Path, table: str
) -> None:
    for key in content:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, 1)
            where = f" in [{table}]" if table else ""
            raise UsageError(
                f"{path} has the unknown key '{key}'{where}.",
                (f"Did you mean '{near[0]}'? " if near else "")
                + f"Allowed{where} are {', '.join(allowed)}.",
            )


def _table(
    content: Mapping[str, object], name: str, kind: type[Spec], path: Path
) -> Mapping[str, object]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise _wrong(path, name, f"it must be a table, [{name}]")
    fields = {item.name: item.type for item in msgspec.structs.fields(kind)}
    _refuse_unknown(table, tuple(fields), path, name)
    for key, value in table.items():
        try:
            msgspec.convert(value, fields[key])
        except msgspec.ValidationError as error:
            problem = field_error(error, fields[key], f"{name}.{key}")
            raise _refused(path, problem) from error
        if key in ("image_mean", "image_std") and len(value) not in (1, 3):
            raise _wrong(path, f"{name}.{key}", "it must have 3 values, or 1 for GRAY")
    return table


def _labels(value: object, path: Path) -> LabelSource | None:
    """A list as it is; a built-in's name as it is; anything else is a file beside the spec file."""
    known = built_in_labels()
    if value is None or (isinstance(value, str) and value in known):
        return value
    if isinstance(value, str):
        return value if _is_text(path) else path.parent / value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _wrong(path, "labels", f"it must be a list of texts, a file, {' or '.join(known)}")


def _wrong(path: Path, key: str, why: str) -> UsageError:
    return UsageError(f"{path}: {key} cannot be used: {why}.", _CORRECT)


def _refused(path: Path, problem: str) -> UsageError:
    return UsageError(f"{path} cannot be used: {problem}.", _CORRECT)


def apply_overrides(
    recognition: Recognition, overrides: SpecOverrides, names: tuple[str, ...] | None = None
) -> Recognition:
    """The recognition with the file's fields in place of its own.

    Args:
        recognition: What was recognised, with the file's `family` and `labels` already used.
        overrides: The spec file.
        names: Class names that somebody gave for this model, None where nobody did.

    Raises:
        UsageError: A field the recognition does not supply is missing, or what comes out
            contradicts itself or the model.
        InputError: `names` are not as many as the classes.
    """
    if not overrides.preprocess and not overrides.readings:
        return recognition
    spec = _merged(recognition.spec, overrides)
    questions = _unanswered(recognition, overrides, names is not None)
    count = next((reading.label_count for reading in readings(spec).values()), None)
    if count is not None and (names is not None or len(spec.labels) != count):
        labels, unnamed = settle_labels(names, count, spec.task, strict=names is not None)
        spec = msgspec.structs.replace(spec, labels=labels)
        questions = {**questions, **unnamed}
    if problem := contradiction(spec) or _misfit(spec):
        raise _refused(overrides.path, problem)
    stated = recognition.stated
    if overrides.preprocess and spec.preprocess and spec.inputs[0].dtype.startswith("float"):
        absurd = absurd_range(spec.preprocess)
        stated = (*stated, absurd) if absurd else stated
    return replace(recognition, spec=spec, stated=stated, questions=questions)


def _merged(spec: ModelSpec, overrides: SpecOverrides) -> ModelSpec:
    if overrides.preprocess:
        base = spec.preprocess or _size_of(spec.inputs)
        fields = _cropping(overrides, msgspec.to_builtins(base))
        preprocess = _merge(base, fields, PreprocessSpec, "preprocess", overrides)
        spec = msgspec.structs.replace(spec, preprocess=preprocess)
    kinds = _reading_kinds()
    for section, fields in overrides.readings.items():
        task, kind = kinds[section]
        reading = _merge(getattr(spec, section) or {}, fields, kind, section, overrides)
        spec = msgspec.structs.replace(spec, task=task, **{section: reading})
    return spec


def _cropping(overrides: SpecOverrides, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """[preprocess] with a shortest edge where pictures are cropped, and with none elsewhere."""
    fields: dict[str, Any] = dict(overrides.preprocess)
    asked = [name for name in ("crop_pct", "shortest_edge") if fields.get(name) is not None]
    if len(asked) > 1:
        raise _wrong(overrides.path, "preprocess.crop_pct", "shortest_edge says the same")
    mode = fields.setdefault("resize_mode", "center_crop") if asked else fields.get("resize_mode")
    if asked and mode != "center_crop":
        raise _wrong(overrides.path, f"preprocess.{asked[0]}", 'it is for "center_crop" alone')
    share = fields.pop("crop_pct", None)
    merged = {**known, **fields}
    if share is not None and {"width", "height"} <= merged.keys():
        fields["shortest_edge"] = math.floor(min(merged["width"], merged["height"]) / share)
    elif mode not in (None, "center_crop"):
        fields["shortest_edge"] = None
    return fields


def _misfit(spec: ModelSpec) -> str | None:
    """Why outputs of such shapes can't be read so."""
    for _, room in recognisers():
        if room.READING is not None and (problem := room.misfit(spec)):
            return f"[{room.READING.section}] does not fit the model: {problem}"
    return None


def _unanswered(recognition: Recognition, overrides: SpecOverrides, named: bool) -> Questions:
    answered: set[str] = set()
    if overrides.preprocess:
        answered |= {"preprocess"}
    if overrides.readings:
        answered |= {"reading"}
    if named or overrides.sets_class_count:
        answered |= {"class_count", "labels"}
    return {name: text for name, text in recognition.questions.items() if name not in answered}


def _size_of(inputs: tuple[TensorSpec, ...]) -> dict[str, object]:
    """Width, height and layout of the picture input, where there is one."""
    picture = find_picture(inputs)
    if isinstance(picture, str):
        return {}
    return msgspec.to_builtins(picture.preprocess())  # type: ignore[no-any-return]


def _merge[SpecType: Spec](
    base: object,
    fields: Mapping[str, object],
    kind: type[SpecType],
    table: str,
    overrides: SpecOverrides,
) -> SpecType:
    known = msgspec.to_builtins(base)
    try:
        return msgspec.convert({**known, **fields}, kind)
    except msgspec.ValidationError as error:
        raise _wrong(overrides.path, f"[{table}]", str(error)) from error

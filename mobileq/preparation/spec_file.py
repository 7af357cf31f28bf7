"""Reads a `--spec` file: a TOML that corrects or completes what was recognised.

    family = "yolox"                 # optional, as --family
    labels = "coco80"                # or a list of names, or a file beside this one
    [preprocess]                     # fields of PreprocessSpec
    channel_order = "RGB"
    [decode]                         # fields of DecodeSpec
    score_threshold = 0.4
    outputs = [{ name = "output", role = "predictions" }]

For a model that was not recognised, [preprocess] and [decode] together describe it.
"""

from __future__ import annotations

import difflib
import itertools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from mobileq.consistency import absurd_range, contradiction
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.field_errors import field_error
from mobileq.graph.outline import DYNAMIC
from mobileq.preparation.labels import LabelSource, unnamed_notice
from mobileq.preparation.recognise import UNKNOWN_HEAD_NOTICE, Recognition, settle_labels
from mobileq.regular_file import read_regular
from mobileq.spec import DecodeSpec, ModelSpec, PreprocessSpec, Spec, Task, TensorSpec
from mobileq.tasks.detect.coco_classes import BUILTIN_LABELS
from mobileq.tasks.detect.families.facts import assumed_classes_notice, find_picture, per_picture

_MAX_BYTES = 1 << 20
_CORRECT = "Correct the spec file."
_MOST_VALUES = 2**25
"""Of outputs that decoding is tried on."""
_TOP_LEVEL = ("family", "labels", "preprocess", "decode")


@dataclass(frozen=True, kw_only=True)
class SpecOverrides:
    """What a spec file says; `preprocess` and `decode` hold just the fields it gives."""

    path: Path
    family: str | None = None
    labels: LabelSource | None = None
    preprocess: Mapping[str, object] = field(default_factory=dict)
    decode: Mapping[str, object] = field(default_factory=dict)


def read_spec_file(path: str | Path) -> SpecOverrides:
    """Read a spec file.

    Raises:
        UsageError: There is no such file, a key is unknown (the allowed ones are named), or a value
            has the wrong type.
        InputError: It is not TOML.
    """
    path = Path(path)
    content = _read_toml(path)
    _refuse_unknown(content, _TOP_LEVEL, path, "")
    family = content.get("family")
    if family is not None and not isinstance(family, str):
        raise _wrong(path, "family", "it must be a text")
    preprocess = _table(content, "preprocess", PreprocessSpec, path)
    decode = _table(content, "decode", DecodeSpec, path)
    labels = _labels(content.get("labels"), path)
    return SpecOverrides(
        path=path, family=family, labels=labels, preprocess=preprocess, decode=decode
    )


def _read_toml(path: Path) -> dict[str, object]:
    try:
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
    if value is None or (isinstance(value, str) and value in BUILTIN_LABELS):
        return value
    if isinstance(value, str):
        return path.parent / value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _wrong(path, "labels", "it must be a list of texts, a file, coco80 or coco91")


def _wrong(path: Path, key: str, why: str) -> UsageError:
    return UsageError(f"{path}: {key} cannot be used: {why}.", _CORRECT)


def _refused(path: Path, problem: str) -> UsageError:
    return UsageError(f"{path} cannot be used: {problem}.", _CORRECT)


def apply_overrides(
    recognition: Recognition,
    overrides: SpecOverrides,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    names: tuple[str, ...] | None = None,
) -> Recognition:
    """The recognition with the file's fields in place of its own.

    Args:
        recognition: What was recognised, with the file's `family` and `labels` already used.
        overrides: The spec file.
        inputs: The model's.
        outputs: The model's; [decode] may name no others.
        names: Class names that somebody gave for this model, None where nobody did.

    Raises:
        UsageError: A field the recognition does not supply is missing, or what comes out
            contradicts itself or the model.
        InputError: `names` are not as many as the classes.
    """
    if not overrides.preprocess and not overrides.decode:
        return recognition
    preprocess, decode = recognition.preprocess, recognition.decode
    if overrides.preprocess:
        base: object = preprocess or _size_of(inputs)
        preprocess = _merge(base, overrides.preprocess, PreprocessSpec, "preprocess", overrides)
    if overrides.decode:
        decode = _merge(decode or {}, overrides.decode, DecodeSpec, "decode", overrides)
    labels, notices = recognition.labels, recognition.notices
    if decode is not None:
        notices = _unanswered(recognition, overrides, names is not None)
        if names is not None or len(labels) != decode.class_count:
            labels, more = settle_labels(names, decode.class_count, strict=names is not None)
            notices = (*notices, *more)
    task: Task = "detect" if decode is not None else recognition.task
    spec = ModelSpec(
        name="model",
        task=task,
        family=recognition.family,
        inputs=inputs,
        outputs=outputs,
        preprocess=preprocess,
        decode=decode,
        labels=labels,
    )
    if problem := contradiction(spec) or _undecodable(spec):
        raise _refused(overrides.path, problem)
    if overrides.preprocess and preprocess is not None and inputs[0].dtype.startswith("float"):
        absurd = absurd_range(preprocess)
        notices = (*notices, absurd) if absurd else notices
    return replace(
        recognition,
        task=task,
        preprocess=preprocess,
        decode=decode,
        labels=labels,
        notices=notices,
    )


def _undecodable(spec: ModelSpec) -> str | None:
    """Why outputs of such shapes can't be decoded so, by trying it on zeros."""
    import numpy as np

    from mobileq.tasks.detect.decode import decode

    if spec.decode is None or spec.preprocess is None:
        return None
    rows = per_picture(spec.outputs, spec.batch)
    if isinstance(rows, str):
        return f"[decode] does not fit the model: {rows}"
    shapes = {output.name: output.shape for output in rows}
    is_fixed = DYNAMIC not in itertools.chain(*shapes.values())
    if not is_fixed or sum(map(math.prod, shapes.values())) > _MOST_VALUES:
        return None
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    try:
        decode(spec.decode, zeros, spec.preprocess.width, spec.preprocess.height, 1.0)
    except InputError as error:
        return f"[decode] does not fit the model: {error.message.rstrip('.')}"
    return None


def _unanswered(recognition: Recognition, overrides: SpecOverrides, named: bool) -> tuple[str, ...]:
    """The notices of the recognition, without the questions that the file has answered."""
    answered = {UNKNOWN_HEAD_NOTICE} if overrides.decode else set()
    count = recognition.decode.class_count if recognition.decode is not None else 0
    if named or "class_count" in overrides.decode:
        answered |= {unnamed_notice(count), assumed_classes_notice(count)}
    return tuple(notice for notice in recognition.notices if notice not in answered)


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

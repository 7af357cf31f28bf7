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
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from mobileq.errors import InputError, UsageError
from mobileq.graph.coco import BUILTIN_LABELS
from mobileq.graph.families.facts import assumed_classes_notice, find_picture
from mobileq.graph.labels import LabelSource, unnamed_notice
from mobileq.graph.recognise import UNKNOWN_HEAD_NOTICE, Recognition, settle_labels
from mobileq.spec import DecodeSpec, PreprocessSpec, Spec, TensorSpec

_MAX_BYTES = 1 << 20
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
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a spec file.", "Give a small TOML file.")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"There is no spec file {path}.", "Check the path of --spec.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.", "Correct the file.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The spec file {path} cannot be read.", "Save it as UTF-8.") from error


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
            raise _wrong(path, f"{name}.{key}", str(error)) from error
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
    return UsageError(f"{path}: {key} cannot be used: {why}.", "Correct the spec file.")


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
        UsageError: A field the recognition does not supply is missing, or an output is unknown.
        InputError: `names` are not as many as the classes.
    """
    if not overrides.preprocess and not overrides.decode:
        return recognition
    preprocess, decode = recognition.preprocess, recognition.decode
    if overrides.preprocess:
        base: object = preprocess or _size_of(inputs)
        preprocess = _merge(base, overrides.preprocess, PreprocessSpec, "preprocess", overrides)
        _check_preprocess(preprocess, inputs, overrides)
    if overrides.decode:
        decode = _merge(decode or {}, overrides.decode, DecodeSpec, "decode", overrides)
        _check_outputs(decode, outputs, overrides)
    labels, notices = recognition.labels, recognition.notices
    if decode is not None:
        notices = _unanswered(recognition, overrides, names is not None)
        if names is not None or len(labels) != decode.class_count:
            labels, more = settle_labels(names, decode.class_count, strict=names is not None)
            notices = (*notices, *more)
    return replace(
        recognition,
        task="detect" if decode is not None else recognition.task,
        preprocess=preprocess,
        decode=decode,
        labels=labels,
        notices=notices,
    )


def _check_preprocess(
    preprocess: PreprocessSpec, inputs: tuple[TensorSpec, ...], overrides: SpecOverrides
) -> None:
    """The picture must fit the input, and a deviation divides."""
    if 0.0 in preprocess.image_std:
        raise _wrong(overrides.path, "preprocess.image_std", "it can't hold zero")
    size = preprocess.height, preprocess.width
    shape = (1, 3, *size) if preprocess.layout == "NCHW" else (1, *size, 3)
    if inputs and inputs[0].shape != shape:
        raise _wrong(
            overrides.path,
            "preprocess (width, height, layout)",
            f"it makes a tensor of {list(shape)} where the model takes {list(inputs[0].shape)}",
        )


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
    return {"width": picture.width, "height": picture.height, "layout": picture.layout}


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


def _check_outputs(
    decode: DecodeSpec, outputs: tuple[TensorSpec, ...], overrides: SpecOverrides
) -> None:
    known = [output.name for output in outputs]
    for output in decode.outputs:
        if output.name not in known:
            raise UsageError(
                f"{overrides.path}: the model has no output '{output.name}'.",
                f"Its outputs are: {', '.join(known)}.",
            )

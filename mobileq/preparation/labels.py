"""Class names: from a model's metadata, a file, a data.yaml, or built in.

All of them come from strangers: contents are parsed as data within bounds, never evaluated.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Sequence
from pathlib import Path

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.regular_file import read_regular
from mobileq.tasks.recognition import Questions, recognisers

_MAX_BYTES = 1 << 20
_MAX_CLASSES = 10_000
_MAX_NAME = 200
_MAX_DEPTH = 8
_NEAR = 0.15
"""Lists are proposed to models of about as many classes: one more is a background, some less COCO's
gaps."""

LabelSource = str | Path | Sequence[str]


def read_labels(source: LabelSource) -> tuple[str, ...]:
    """Class names from a list that is built in, a file, or a list of names.

    Files: one name per line (UTF-8, with or without BOM); .yaml or .yml with `names` as a list or
    as `index: name`, or with `nc` alone; .json with a list or an object.

    Raises:
        UsageError: There is no such file or built-in list.
        InputError: The file holds no names, or `nc` differs from the number of names.
    """
    if not isinstance(source, str | Path):
        return _cleaned(list(source), "the list of labels")
    if isinstance(source, str) and (built_in := built_in_labels().get(source)):
        return built_in
    path = Path(source)
    text = _read_text(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _from_yaml(text, path)
    if path.suffix.lower() == ".json":
        names = parse_names(text)
        if names is None:
            raise InputError(
                f"{path} holds no list of class names.", 'Write it like ["person", "car"].'
            )
        return names
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise InputError(
                f"Line {number} of {path} is empty.", "Give every class a name, one per line."
            )
    return _cleaned(lines, str(path))


def built_in_labels() -> dict[str, tuple[str, ...]]:
    """Lists of class names by what they are called: `coco80`, `imagenet1k`."""
    return {name: labels for _, room in recognisers() for name, labels in room.LABELS.items()}


def _read_text(path: Path) -> str:
    lists = " or ".join(built_in_labels())
    hint = f"Give a file with one name per line, a data.yaml, or {lists}."
    try:
        return read_regular(path, _MAX_BYTES, "a list of class names").decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"There is no file of labels {path}.", hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.", "Save the file as UTF-8.") from error
    except ValueError as error:
        raise InputError(f"The file of labels {path} cannot be read.", hint) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _from_yaml(text: str, path: Path) -> tuple[str, ...]:
    import yaml

    try:
        # BaseLoader leaves every scalar a string: a class may be called `no` or `1e3`.
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML.", "Correct the file.") from error
    names = content.get("names") if isinstance(content, dict) else None
    count = content.get("nc") if isinstance(content, dict) else None
    classes: int | None = None
    if isinstance(count, str) and count.isdecimal() and len(count) < 6:
        classes = int(count)
    found = _indexed(names)
    if found is None:
        if classes is None or not 0 < classes <= _MAX_CLASSES or names:
            raise InputError(f"{path} has no class names.", "Add them under `names:`, as a list.")
        return default_labels(classes)
    if classes is not None and classes != len(found):
        raise InputError(
            f"{path} names {len(found)} classes but says nc: {classes}.", "Correct the file."
        )
    return found


def parse_names(text: str) -> tuple[str, ...] | None:
    """Names from metadata: a Python or JSON dict (index to name) or list; None where it is neither.

    Ultralytics writes `{0: 'person', 1: 'bicycle'}`.
    """
    if len(text) > _MAX_BYTES or _depth(text) > _MAX_DEPTH:
        return None
    try:
        return _indexed(json.loads(text))
    except (ValueError, RecursionError):
        pass
    try:
        return _indexed(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _depth(text: str) -> int:
    """How deep brackets and signs nest at most: parsers recurse for each, and some overflow."""
    deepest = depth = signs = 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        signs = signs + 1 if character in "+-~" else 0 if not character.isspace() else signs
        deepest = max(deepest, depth, signs)
    return deepest


def _indexed(value: object) -> tuple[str, ...] | None:
    """The names in order of their index; an index left out becomes `class 7`."""
    if isinstance(value, list | tuple):
        entries: list[tuple[object, object]] = list(enumerate(value))
    elif isinstance(value, dict):
        entries = list(value.items())
    else:
        return None
    by_index: dict[int, str] = {}
    for key, name in entries:
        if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 6:
            key = int(key)
        if not isinstance(key, int) or isinstance(key, bool) or not 0 <= key < _MAX_CLASSES:
            return None
        if not isinstance(name, str | int | float):
            return None
        by_index[key] = str(name)
    if not by_index:
        return None
    return tuple(_clean(by_index.get(i, ""), i) for i in range(max(by_index) + 1))


def _cleaned(names: list[str], where: str) -> tuple[str, ...]:
    if not 0 < len(names) <= _MAX_CLASSES:
        raise InputError(f"There are {len(names)} names in {where}.", "Give one name per class.")
    return tuple(_clean(name, index) for index, name in enumerate(names))


def _clean(name: str, index: int) -> str:
    """One printable line: names are written one per line into labels.txt."""
    printable = "".join(c if c.isprintable() else " " for c in name[: 4 * _MAX_NAME])
    return " ".join(printable.split())[:_MAX_NAME] or f"class {index}"


def default_labels(count: int) -> tuple[str, ...]:
    """`class 0`, `class 1` ..."""
    return tuple(f"class {index}" for index in range(count))


def _unnamed_notice(count: int, task: str) -> str:
    known = dict(recognisers())[task].LABELS.items()
    lists = [name for name, names in known if math.isclose(len(names), count, rel_tol=_NEAR)]
    *firsts, last = ["FILE (one per line, or a data.yaml)", *lists]
    given = f"{', '.join(firsts)} or {last}" if firsts else last
    return (
        f"The file does not name its {count} classes, so they are called 'class 0' and so on;"
        f" name them with --labels {given}."
    )


def require_count(labels: Sequence[str], count: int) -> None:
    """Refuse labels that do not fit the model.

    Raises:
        InputError: Their number is not the model's number of classes.
    """
    if len(labels) != count:
        raise InputError(
            f"There are {len(labels)} labels, but the model has {count} classes.",
            "Give one label per class, in the order the model was trained with.",
        )


def settle_labels(
    named: tuple[str, ...] | None, count: int, task: str, *, strict: bool
) -> tuple[tuple[str, ...], Questions]:
    """As many labels as there are classes, and what to tell of those that have no names.

    Args:
        named: The names there are, if any.
        count: Of the model's classes.
        task: Whose built-in lists may have them.
        strict: A different number is an error, since somebody gave these names for this model;
            otherwise the names (from the file) are dropped with a notice.

    Raises:
        InputError: The numbers differ and `strict` is set.
    """
    if named is None:
        return default_labels(count), {"labels": _unnamed_notice(count, task)}
    if strict:
        require_count(named, count)
    if len(named) != count:
        return default_labels(count), {
            "labels": f"The file names {len(named)} classes but the model has {count}: the names "
            "are not used. Give the right ones with --labels."
        }
    return named, {}

"""Read a `data.yaml`, the data set description of Ultralytics, without running what it holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.regular_file import read_regular

_MAX_BYTES = 4 * 1024 * 1024
_HINT = "Give a data.yaml with `train:`, `val:` and `names:`, as Ultralytics describes it."
_NOTHING = frozenset({"", "~", "null", "Null", "NULL", "None"})
_NO_SPLIT: tuple[object, ...] = (None, [], {}, *_NOTHING)


@dataclass(frozen=True)
class DataYaml:
    """What a `data.yaml` says.

    `root` is the folder that `path` names, absolute. `splits` holds, by name ("train", "val",
    "test"), the folders and list files as they are written; `names` the class names by index, or
    nothing.
    """

    file: Path
    root: Path
    splits: dict[str, tuple[str, ...]]
    names: dict[int, str]

    def places(self, split: str) -> tuple[Path, ...]:
        """The folders, images and list files (.txt) of a split, all existing.

        Relative ones are looked for as Ultralytics does: below `root`, where the leading `../` of
        Roboflow's exports is dropped if nothing is there with it.

        Raises:
            UsageError: The file has no such split.
            InputError: A folder or file does not exist.
        """
        if split not in self.splits:
            raise UsageError(
                f"{self.file} has no split {split!r}.",
                f"It has: {', '.join(self.splits) or 'none'}.",
            )
        return tuple(self._locate(text, split) for text in self.splits[split])

    def _locate(self, text: str, split: str) -> Path:
        candidates = [self.root / text]
        if text.startswith("../"):
            candidates.append(self.root / text.removeprefix("../"))
        for candidate in candidates:
            if os.path.exists(candidate):  # unlike Path.exists, False for any text
                return Path(os.path.normpath(candidate))
        raise InputError(
            f"{self.file}: `{split}` is {text!r}, and {self.root} has no such folder or file.",
            "Correct `path` or the split in that file.",
        )


def read_data_yaml(file: Path) -> DataYaml:
    """Read a `data.yaml`. `download`, a script in some of them, is not run.

    `path` is looked for below the file's folder; where it does not exist (it often names a folder
    on the machine of whoever made the data set), the file's own folder is taken.

    Raises:
        InputError: The file cannot be read, is no YAML, or a field is not what it should be.
    """
    content = _load(file)
    root = Path(os.path.abspath(file.parent))
    path = content.get("path")
    if isinstance(path, str) and path not in _NOTHING and os.path.isdir(root / path):
        root = Path(os.path.normpath(root / path))
    splits = {
        split: _texts(file, split, content[split])
        for split in ("train", "val", "test")
        if content.get(split) not in _NO_SPLIT
    }
    return DataYaml(file, root, splits, _names(file, content.get("names")))


def _load(file: Path) -> dict[object, object]:
    import yaml

    try:
        text = read_regular(file, _MAX_BYTES, "a data.yaml")
    except OSError as error:
        raise unreadable(file, error) from error
    try:
        # BaseLoader keeps every scalar as it is written: a class may be called `no` or `1e3`.
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{file} is not valid YAML{line}: {error.problem}.", _HINT) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is not valid YAML.", _HINT) from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is not a data.yaml: it holds no `train:` or `val:`.", _HINT)
    return content


def _texts(file: Path, field: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, str) and entry not in _NOTHING for entry in values):
        raise InputError(f"{file}: `{field}` is not a path or a list of paths.", _HINT)
    return tuple(str(entry) for entry in values)


def _names(file: Path, value: object) -> dict[int, str]:
    """Class names, written as a list or as `index: name`."""
    pairs: list[tuple[object, object]]
    if value is None or value == "":
        return {}
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        pairs = list(enumerate(value)) if isinstance(value, list) else [(None, None)]
    names = {_index(key): name for key, name in pairs}
    if len(names) == len(pairs) and all(
        index is not None and isinstance(name, str) and name for index, name in names.items()
    ):
        return {index: str(names[index]) for index in sorted(i for i in names if i is not None)}
    raise InputError(f"{file}: `names` is not a list of class names.", _HINT)


def _index(key: object) -> int | None:
    text = str(key)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

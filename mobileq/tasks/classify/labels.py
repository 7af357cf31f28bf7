"""Pictures with the class that each is of: folders by class, a CSV, or a data.yaml.

Files come from anywhere; whatever they hold, they are used or refused in one sentence.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.calibration.image_files import ImageFiles, data_yaml_source, folder_source
from mobileq.calibration.sources import some
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.regular_file import read_regular

_MAX_CSV_BYTES = 256 * 1024 * 1024
_CSV_HINT = "Give a CSV with the columns file,label: a class's name, or its number from 0."


@dataclass(frozen=True, eq=False)
class ClassTruth:
    """See `mobileq.tasks.base.Truth`; `class_ids` has the class of each picture, by its key."""

    images: tuple[tuple[int, Path], ...]
    class_ids: Mapping[int, int]
    notices: tuple[str, ...] = ()

    @property
    def content(self) -> object:
        """The classes, in the order of the pictures."""
        return [self.class_ids[key] for key, _ in self.images]


def read_truth(annotations: Path, images: Path | None, names: Sequence[str]) -> ClassTruth:
    """Labelled pictures.

    Args:
        annotations: A folder with a folder of pictures for each class; a .csv (file,label); or a
            data.yaml, whose split `val` has folders by class.
        images: Folder of the pictures: needed for a CSV, elsewhere a part of those to take.
        names: Of the model's classes.

    Raises:
        UsageError: There is nothing at one of the paths, or `images` is needed and missing.
        InputError: A file can't be used, a label is none of the classes, or there is no picture.
    """
    if not os.path.lexists(annotations):
        raise UsageError(f"There is no {annotations}.", "Check the path to the labels.")
    if images is not None and not images.is_dir():
        raise UsageError(f"There is no folder {images}.", "Give the folder of the pictures.")
    if annotations.is_dir():
        return _by_folder(annotations, images, names)
    suffix = annotations.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return _by_data_yaml(annotations, images, names)
    if suffix != ".csv":
        raise InputError(
            f"{annotations} holds no classes of pictures that mobileq can read.",
            "Give a folder with a folder for each class, a .csv or a data.yaml.",
        )
    if images is None:
        raise UsageError(
            f"Where the pictures of {annotations} are is not known.", "Add --eval-images FOLDER."
        )
    return _by_csv(annotations, images, names)


def _by_folder(root: Path, images: Path | None, names: Sequence[str]) -> ClassTruth:
    source = folder_source(images or root)
    found, real = [], Path(os.path.realpath(root))
    for path in source.paths:
        at = Path(os.path.abspath(path))
        for base in (Path(os.path.abspath(root)), real):
            if at.is_relative_to(base) and len(at.relative_to(base).parts) > 1:
                found.append((path, at.relative_to(base).parts[0]))
                break
        else:
            raise InputError(
                f"{path} is in no folder of a class below {root}.",
                "Give the folder that holds a folder of pictures for each class.",
            )
    folders = [entry.name for entry in root.iterdir() if entry.is_dir()]
    classes = sorted(name for name in folders if not name.startswith("."))
    return _truth(found, classes, names, str(root), source.notices)


def _by_data_yaml(file: Path, images: Path | None, names: Sequence[str]) -> ClassTruth:
    data = read_data_yaml(file)
    source = folder_source(images) if images is not None else data_yaml_source(data, "val")
    found = [(path, path.parent.name) for path in source.paths]
    classes = [data.names[at] for at in sorted(data.names)]
    return _truth(
        found, classes or sorted({name for _, name in found}), names, str(file), source.notices
    )


def _by_csv(file: Path, folder: Path, names: Sequence[str]) -> ClassTruth:
    source = folder_source(folder)
    places = _Places(source)
    found, missing, taken = [], [], set()
    for line, name, label in _rows(file):
        path = places.find(name)
        if path is None:
            missing.append(name)
        elif path in taken:
            raise InputError(f"{file} has {name!r} again in line {line}.", "Remove one of them.")
        else:
            taken.add(path)
            found.append((path, label))
    if not found:
        raise InputError(
            f"None of the {len(missing)} pictures of {file} is in {folder}.",
            "Give the folder that holds the labelled pictures.",
        )
    notices = list(source.notices)
    if missing:
        notices.append(f"{len(missing)} labelled pictures are not in {folder}: {some(missing)}.")
    if extra := source.count - len(found):
        notices.append(f"{extra} pictures of {folder} have no label and are left out.")
    classes = sorted({label for _, label in found})
    return _truth(found, classes, names, str(file), tuple(notices))


class _Places:
    """Pictures by the path below their folder, else by the file name where only one has it."""

    def __init__(self, source: ImageFiles) -> None:
        self._by_path = {source.id(at): source.path(at) for at in range(source.count)}
        counts = Counter(name.rpartition("/")[2] for name in self._by_path)
        self._by_name = {
            name.rpartition("/")[2]: path
            for name, path in self._by_path.items()
            if counts[name.rpartition("/")[2]] == 1
        }

    def find(self, name: str) -> Path | None:
        name = name.replace("\\", "/").removeprefix("./")
        return self._by_path.get(name) or self._by_name.get(name.rpartition("/")[2])


def _rows(file: Path) -> list[tuple[int, str, str]]:
    """(line, file, label); a first line `file,label` and empty lines are left out."""
    try:
        text = read_regular(file, _MAX_CSV_BYTES, "a CSV of labels").decode("utf-8-sig")
        rows = list(enumerate(csv.reader(text.splitlines()), start=1))
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, csv.Error) as error:
        raise InputError(f"{file} is no CSV: it cannot be read as text.", _CSV_HINT) from error
    kept = [(line, [cell.strip() for cell in row]) for line, row in rows if any(row)]
    if kept and [cell.lower() for cell in kept[0][1][:2]] == ["file", "label"]:
        kept = kept[1:]
    for line, row in kept:
        if len(row) < 2 or not row[0] or not row[1]:
            raise InputError(f"{file} has no file and label in line {line}.", _CSV_HINT)
    if not kept:
        raise InputError(f"{file} holds no labels.", _CSV_HINT)
    return [(line, row[0], row[1]) for line, row in kept]


def _truth(
    found: Sequence[tuple[Path, str]],
    classes: Sequence[str],
    names: Sequence[str],
    what: str,
    notices: tuple[str, ...],
) -> ClassTruth:
    ids, told = _class_ids(classes, {label for _, label in found}, names, what)
    ordered = sorted(found)
    return ClassTruth(
        images=tuple((key, path) for key, (path, _) in enumerate(ordered)),
        class_ids={key: ids[label] for key, (_, label) in enumerate(ordered)},
        notices=(*notices, *told),
    )


def _class_ids(
    classes: Sequence[str], used: Iterable[str], names: Sequence[str], what: str
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The model's class of each label, and what to tell of it.

    By name, as the model writes it or up to its first comma ("tench, Tinca tinca"); by number;
    else, where there are as many as the model has, in their order, which is how folders are
    numbered for training.
    """
    known = {_plain(str(at)): at for at in reversed(range(len(names)))}
    short = Counter(_plain(name.partition(",")[0]) for name in names)
    for at, name in reversed(list(enumerate(names))):
        first = _plain(name.partition(",")[0])
        known.update({first: at} if short[first] == 1 else {})
        known[_plain(name)] = at
    strange = sorted(label for label in set(used) if _plain(label) not in known)
    if not strange:
        return {label: known[_plain(label)] for label in used}, ()
    if len(classes) == len(names) and not any(_plain(label) in known for label in classes):
        order = {label: at for at, label in enumerate(classes)}
        if set(used) <= set(order):
            return order, (f"The classes of {what} are taken for the model's, in their order.",)
    raise InputError(
        f"{what} has {some(strange)}, which is none of the model's {len(names)} classes.",
        "Use the names that `mobileq inspect` lists, or numbers from 0.",
    )


def _plain(name: str) -> str:
    """Folders are written with underscores, and in any case of letters."""
    return " ".join(name.replace("_", " ").lower().split())

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

Heads = Sequence[Sequence[str]]
"""Names of the classes of each."""
_MAX_CSV_BYTES = 256 * 1024 * 1024
_CSV_HINT = "Give a CSV with the columns file,label: a class's name, or its number from 0."


@dataclass(frozen=True, eq=False)
class ClassTruth:
    """See `mobileq.tasks.base.Truth`; `class_ids` has the class that each head should give for a
    picture, by its key, None where nobody says."""

    images: tuple[tuple[int, Path], ...]
    class_ids: Mapping[int, tuple[int | None, ...]]
    notices: tuple[str, ...] = ()

    @property
    def content(self) -> object:
        """The classes, in the order of the pictures; of one head without a list around each."""
        found = [self.class_ids[key] for key, _ in self.images]
        return [each[0] if len(each) == 1 else list(each) for each in found]


def read_truth(annotations: Path, images: Path | None, heads: Heads) -> ClassTruth:
    """Labelled pictures.

    Args:
        annotations: A folder with a folder of pictures for each class; a .csv (file,label); or a
            data.yaml, whose split `val` has folders by class. Of several heads a .csv with a label
            for each, in their order.
        images: Folder of the pictures: needed for a CSV, elsewhere a part of those to take.
        heads: Of each of the model's heads the names of its classes.

    Raises:
        UsageError: There is nothing at one of the paths, or `images` is needed and missing.
        InputError: A file can't be used, a label is none of the classes, or there is no picture.
    """
    if not os.path.lexists(annotations):
        raise UsageError(f"There is no {annotations}.", "Check the path to the labels.")
    if images is not None and not images.is_dir():
        raise UsageError(f"There is no folder {images}.", "Give the folder of the pictures.")
    suffix = annotations.suffix.lower()
    if len(heads) > 1 and suffix != ".csv":
        raise UsageError(
            f"{annotations} has one label for a picture; the model answers {len(heads)} questions.",
            f"Give a CSV with the columns file{',label' * len(heads)}.",
        )
    if annotations.is_dir():
        return _by_folder(annotations, images, heads)
    if suffix in (".yaml", ".yml"):
        return _by_data_yaml(annotations, images, heads)
    if suffix != ".csv":
        raise InputError(
            f"{annotations} holds no classes of pictures that mobileq can read.",
            "Give a folder with a folder for each class, a .csv or a data.yaml.",
        )
    if images is None:
        raise UsageError(
            f"Where the pictures of {annotations} are is not known.", "Add --eval-images FOLDER."
        )
    return _by_csv(annotations, images, heads)


def _by_folder(root: Path, images: Path | None, heads: Heads) -> ClassTruth:
    source = folder_source(images or root)
    found, real = [], Path(os.path.realpath(root))
    for path in source.paths:
        at = Path(os.path.abspath(path))
        for base in (Path(os.path.abspath(root)), real):
            if at.is_relative_to(base) and len(at.relative_to(base).parts) > 1:
                found.append((path, (at.relative_to(base).parts[0],)))
                break
        else:
            raise InputError(
                f"{path} is in no folder of a class below {root}.",
                "Give the folder that holds a folder of pictures for each class.",
            )
    folders = [entry.name for entry in root.iterdir() if entry.is_dir()]
    classes = sorted(name for name in folders if not name.startswith("."))
    return _truth(found, [classes], heads, str(root), source.notices)


def _by_data_yaml(file: Path, images: Path | None, heads: Heads) -> ClassTruth:
    data = read_data_yaml(file)
    source = folder_source(images) if images is not None else data_yaml_source(data, "val")
    found = [(path, (path.parent.name,)) for path in source.paths]
    classes = [data.names[at] for at in sorted(data.names)]
    there = classes or sorted({name for _, (name,) in found})
    return _truth(found, [there], heads, str(file), source.notices)


def _by_csv(file: Path, folder: Path, heads: Heads) -> ClassTruth:
    source = folder_source(folder)
    places = _Places(source)
    found, missing, taken = [], [], set()
    for line, name, labels in _rows(file, len(heads)):
        path = places.find(name)
        if path is None:
            missing.append(name)
        elif path in taken:
            raise InputError(f"{file} has {name!r} again in line {line}.", "Remove one of them.")
        else:
            taken.add(path)
            found.append((path, labels))
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
    classes = [
        sorted({*each} - {""}) for each in zip(*(labels for _, labels in found), strict=True)
    ]
    return _truth(found, classes, heads, str(file), tuple(notices))


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


def _rows(file: Path, count: int) -> list[tuple[int, str, tuple[str, ...]]]:
    """(line, file, labels); a first line `file,label` and empty lines are left out. Where there are
    several labels some may be empty."""
    try:
        text = read_regular(file, _MAX_CSV_BYTES, "a CSV of labels").decode("utf-8-sig")
        rows = list(enumerate(csv.reader(text.splitlines()), start=1))
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, csv.Error) as error:
        raise InputError(f"{file} is no CSV: it cannot be read as text.", _CSV_HINT) from error
    kept = [(line, [cell.strip() for cell in row]) for line, row in rows if any(row)]
    heading = ["file", "label"] if count == 1 else ["file"]
    if kept and [cell.lower() for cell in kept[0][1][: len(heading)]] == heading:
        kept = kept[1:]
    for line, row in kept:
        if len(row) <= count or not row[0] or not any(row[1 : 1 + count]):
            labels = "label" if count == 1 else f"{count} labels"
            raise InputError(f"{file} has no file and {labels} in line {line}.", _CSV_HINT)
    if not kept:
        raise InputError(f"{file} holds no labels.", _CSV_HINT)
    return [(line, row[0], tuple(row[1 : 1 + count])) for line, row in kept]


def _truth(
    found: Sequence[tuple[Path, tuple[str, ...]]],
    classes: Sequence[Sequence[str]],
    heads: Heads,
    what: str,
    notices: tuple[str, ...],
) -> ClassTruth:
    known: list[Mapping[str, int | None]] = []
    first = 0
    for at, names in enumerate(heads):
        used = {labels[at] for _, labels in found} - {""}
        ids, told = _class_ids(classes[at], used, names, what)
        known.append({"": None, **{label: first + number for label, number in ids.items()}})
        notices, first = (*notices, *told), first + len(names)
    ordered = sorted(found)
    return ClassTruth(
        images=tuple((key, path) for key, (path, _) in enumerate(ordered)),
        class_ids={
            key: tuple(ids[label] for ids, label in zip(known, labels, strict=True))
            for key, (_, labels) in enumerate(ordered)
        },
        notices=notices,
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

"""What the stages of a long command were made from and gave, so that the next run of the same does
only what is no longer right."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Literal

import msgspec

from mobileq.errors import InputError
from mobileq.hashing import file_digest
from mobileq.manifest import MAX_MANIFEST_BYTES, from_json, to_json
from mobileq.regular_file import read_regular
from mobileq.spec import Sha256, Spec
from mobileq.workflows.results import written_whole
from mobileq.workflows.stages import code_digest

_DATA_SETS = (".yaml", ".yml")


class Receipt(Spec, frozen=True, kw_only=True):
    """Digests of all that a stage was made from, and of what it gave."""

    inputs: Sha256
    result: Sha256


class _Receipts(Spec, frozen=True, kw_only=True):
    stages: dict[str, Receipt]
    schema_version: Literal[1] = 1


class Receipts:
    """Receipts in a file, by the names of stages. One that can't be read is none: its stage is
    carried out again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stages: dict[str, Receipt] = {}
        try:
            data = read_regular(path, MAX_MANIFEST_BYTES, "receipts")
            self._stages = dict(from_json(data, _Receipts, str(path)).stages)
        except (OSError, InputError):
            pass

    def has(self, stage: str) -> bool:
        """Whether it was carried out, from whatever."""
        return stage in self._stages

    def is_right(self, stage: str, inputs: Sha256, result: Sha256 | None) -> bool:
        """Whether a stage was made from the same, and what it gave is still there."""
        return result is not None and self._stages.get(stage) == Receipt(
            inputs=inputs, result=result
        )

    def note(self, stage: str, inputs: Sha256, result: Sha256 | None) -> None:
        """A stage is done. Raises MobileqError where that can't be written."""
        if result is None:
            return
        self._stages[stage] = Receipt(inputs=inputs, result=result)
        with written_whole(self._path, "--output") as file:
            file.write_bytes(to_json(_Receipts(stages=self._stages)))


def digest(**parts: object) -> Sha256:
    """Of plain values; paths, and texts that name one, count by what is there (see `traced`)."""
    plain = {name: _plain(part) for name, part in parts.items()}
    return hashlib.sha256(to_json({"code": code_digest(), **plain})).hexdigest()


def traced(path: Path) -> object:
    """What is at a path: a file by its content, a folder by the names, sizes and times of what is
    below it, a data.yaml as well by those below its own folder; None: nothing.

    Times change where nothing else does, and a stage is carried out again for nothing; of large
    data sets reading every picture would take longer than that.
    """
    if path.is_dir():
        return _below(path)
    if not path.is_file():
        return None
    content = file_digest(path)
    return [content, _below(path.parent)] if path.suffix.lower() in _DATA_SETS else content


def traced_model(path: Path) -> object:
    """A model's file, and those beside it that its weights may be in: all that are named after
    it."""
    try:
        beside = sorted(each for each in path.parent.iterdir() if each.name.startswith(path.stem))
    except OSError:
        beside = [path]
    return {each.name: traced(each) for each in beside if each.is_file()}


def _below(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(parent, name) for name in sorted(names)):
            try:
                status = path.stat()
            except OSError:  # a link to nowhere
                continue
            name = path.relative_to(folder).as_posix()
            found.append((os.fsencode(name).hex(), status.st_size, status.st_mtime_ns))
    return found


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return [os.fsencode(value).hex(), traced(value)]
    if isinstance(value, str):
        # `NAME=FILE`, as --set takes it, or a set of labels that may be a file.
        file = Path(value.rpartition("=")[2])
        return [value, traced(file)] if value and os.path.isfile(file) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence | Set):
        return [_plain(each) for each in value]
    return msgspec.to_builtins(value)

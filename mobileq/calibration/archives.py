"""Finished tensors for all inputs: a `.npz` file, a folder of them, or a folder per input."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.calibration.arrays import Fitting, fitting, load_archive, load_array, shape_text
from mobileq.calibration.image_files import IMAGE_SUFFIXES
from mobileq.calibration.sources import Reading, SourceKind, printable, some
from mobileq.errors import InputError, MobileqError
from mobileq.hashing import file_digest
from mobileq.spec import PreprocessSpec, TensorSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Inputs = tuple[TensorSpec, ...]
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})


class ArchiveRows:
    """A `.npz` file: one sample, or one in each row of all its arrays."""

    kind: SourceKind = "tensors"
    in_time = False

    def __init__(self, path: Path, inputs: Inputs) -> None:
        arrays = load_archive(path)
        found, problem = _fitted(arrays, inputs)
        if problem:
            raise InputError(f"{path} {problem}", _hint(inputs))
        self._path, self._fittings = path, found
        self._arrays = {name: arrays[key] for name, (key, _) in found.items()}
        self._is_stacked = next(iter(found.values()))[1].count is not None
        self.count = next(iter(found.values()))[1].count or 1
        self.notices = _unused(arrays, [key for key, _ in found.values()])

    def id(self, position: int) -> str:
        return f"row-{position:06d}"

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        for position in positions:
            yield _reading(position, {
                name: (self._row(name, position), each)
                for name, (_, each) in self._fittings.items()
            })  # fmt: skip

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            digest = hashlib.sha256()
            for name in self._fittings:
                row = self._row(name, position)
                digest.update(f"{name} {row.dtype.str} {row.shape} ".encode())
                digest.update(row.tobytes())
            yield digest.hexdigest()

    def _row(self, name: str, position: int) -> Array:
        array = self._arrays[name]
        return array[position] if self._is_stacked else array


class ArrayFiles:
    """A folder of `.npz` files (of `.npy` files for a model of one input), one sample in each."""

    kind: SourceKind = "tensors"
    in_time = False

    def __init__(self, paths: Sequence[Path], inputs: Inputs, notices: tuple[str, ...]) -> None:
        self._paths, self._inputs = tuple(paths), inputs
        self.count = len(paths)
        self.notices = notices

    def id(self, position: int) -> str:
        return printable(self._paths[position].name)

    def path(self, position: int) -> Path:
        return self._paths[position]

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        for position in positions:
            path = self._paths[position]
            try:
                is_archive = path.suffix.lower() == ".npz"
                arrays = load_archive(path) if is_archive else {"": load_array(path)}
            except MobileqError as error:
                yield Reading(position, problem=error.message.removeprefix(f"{path} "))
                continue
            found, problem = _fitted(arrays, self._inputs)
            if any(each.count not in (None, 1) for _, each in found.values()):
                problem = problem or "holds several samples; in a folder each file is one."
            if problem:
                yield Reading(position, problem=problem)
                continue
            yield _reading(position, {
                name: (arrays[key] if each.count is None else arrays[key][0], each)
                for name, (key, each) in found.items()
            })  # fmt: skip

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            yield file_digest(self._paths[position])


class InputFolders:
    """A folder with one folder for each input, whose files of the same stem are a sample: `.npy`
    files, or pictures where the preprocessing makes what the input takes."""

    kind: SourceKind = "tensors"
    in_time = False

    def __init__(
        self, folder: Path, folders: Mapping[str, Path], inputs: Inputs,
        preprocess: PreprocessSpec | None,
    ) -> None:  # fmt: skip
        self._inputs, self._preprocess = inputs, preprocess
        files = {name: _by_stem(place) for name, place in folders.items()}
        stems = sorted(set.intersection(*(set(each) for each in files.values())))
        if not stems:
            raise InputError(
                f"{folder} has no sample: no file has the same name in each of "
                f"{', '.join(place.name for place in folders.values())}.",
                "Give the files of a sample the same name, up to the suffix, in each folder.",
            )
        self._files = [{name: files[name][stem] for name in files} for stem in stems]
        self._stems = [printable(stem) for stem in stems]
        self.count = len(stems)
        alone = sorted(set().union(*files.values()) - set(stems))
        self.notices = (
            (f"{len(alone)} samples lack an input and were left out: {some(alone)}.",)
            if alone
            else ()
        )

    def id(self, position: int) -> str:
        return self._stems[position]

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        for position in positions:
            feeds, problem = {}, ""
            for spec in self._inputs:
                feeds[spec.name], problem = self._one(spec, self._files[position][spec.name])
                if problem:
                    break
            yield Reading(position, problem=problem, feeds=None if problem else feeds)

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            digest = hashlib.sha256()
            for name, path in self._files[position].items():
                digest.update(f"{name} {file_digest(path)} ".encode())
            yield digest.hexdigest()

    def _one(self, spec: TensorSpec, path: Path) -> tuple[Array, str]:
        """The array of one input, or the reason why there is none."""
        import numpy as np

        nothing: Array = np.empty(0)
        try:
            if path.suffix.lower() in IMAGE_SUFFIXES:
                return self._picture(spec, path)
            array = load_array(path)
        except MobileqError as error:
            return nothing, error.message.replace(str(path), f"of {spec.name}", 1)
        found = fitting(array.shape, array.dtype, spec)
        if found is None or found.count not in (None, 1):
            return nothing, f"has {array.dtype} {list(array.shape)} for {shape_text(spec)}."
        return found.take(array if found.count is None else array[0])

    def _picture(self, spec: TensorSpec, path: Path) -> tuple[Array, str]:
        from mobileq.vision.preprocess import preprocess_batch, read_image

        known = self._preprocess
        if known is None or known.tensor_shape() != spec.shape or spec.dtype[0] not in "fu":
            raise InputError(f"{path} is a picture, which {shape_text(spec)} does not take.")
        return preprocess_batch([read_image(path)], known, spec)[0], ""


def array_folder(
    folder: Path, inputs: Inputs, preprocess: PreprocessSpec | None
) -> ArrayFiles | InputFolders | None:
    """The finished tensors in a folder; None where there are none, as in a folder of pictures.

    Raises:
        InputError: There is a folder for each input, and no sample in all of them.
    """
    entries = {path.name: path for path in sorted(folder.iterdir()) if path.name[0] != "."}
    if len(inputs) > 1:
        folders = {spec.name: entries.get(spec.name) or entries.get(_plain(spec.name))
                   for spec in inputs}  # fmt: skip
        places = {name: path for name, path in folders.items() if path and path.is_dir()}
        if len(places) == len(inputs):
            return InputFolders(folder, places, inputs, preprocess)
    wanted = ARRAY_SUFFIXES if len(inputs) == 1 else {".npz"}
    files = [path for path in entries.values() if path.suffix.lower() in wanted]
    if not files:
        return None
    others = [name for name, path in entries.items() if path not in files]
    notices = (f"{len(others)} others were ignored: {some(others)}.",) if others else ()
    return ArrayFiles(files, inputs, notices)


def _hint(inputs: Inputs) -> str:
    wanted = "; ".join(shape_text(spec) for spec in inputs)
    return f"Save one sample, or rows of them, under the names of the inputs: {wanted}."


def _fitted(
    arrays: Mapping[str, Array], inputs: Inputs
) -> tuple[dict[str, tuple[str, Fitting]], str]:
    """{input: (array's name, how it goes with it)}, or the reason why it doesn't, which follows the
    file's name. The only array is the only input's, whatever it is called."""
    found: dict[str, tuple[str, Fitting]] = {}
    for spec in inputs:
        key = spec.name
        if key not in arrays and len(inputs) == len(arrays) == 1:
            key = next(iter(arrays))
        if key not in arrays:
            return {}, f"has no array '{spec.name}'; it has {', '.join(arrays) or 'none'}."
        array = arrays[key]
        each = fitting(array.shape, array.dtype, spec)
        if each is None or each.count == 0:
            held = f"{array.dtype} {list(array.shape)}"
            return {}, f"holds {held} for the input {shape_text(spec)}."
        found[spec.name] = key, each
    counts = {name: each.count for name, (_, each) in found.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count or 'no'} rows of {name}" for name, count in counts.items())
        return {}, f"has arrays that don't go together: {listed}."
    return found, ""


def _reading(position: int, rows: Mapping[str, tuple[Array, Fitting]]) -> Reading:
    feeds = {}
    for name, (row, each) in rows.items():
        feeds[name], problem = each.take(row)
        if problem:
            return Reading(position, problem=f"{problem.rstrip('.')} ({name}).")
    return Reading(position, feeds=feeds)


def _unused(arrays: Mapping[str, Array], used: Sequence[str]) -> tuple[str, ...]:
    others = [name for name in arrays if name not in used]
    return (f"No input is called {some(others)}: ignored.",) if others else ()


def _by_stem(folder: Path) -> dict[str, Path]:
    known = IMAGE_SUFFIXES | {".npy"}
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in known and path.name[0] != "."
    }


def _plain(name: str) -> str:
    """An input's name as the name of a folder, where it could be none."""
    return re.sub(r"[^\w.-]", "_", name)

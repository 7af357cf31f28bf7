"""Calibration and evaluation samples: finished tensors, one at a time, from whatever is given."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.calibration.archives import ArchiveRows, InputFolders, array_folder
from mobileq.calibration.array_rows import array_source
from mobileq.calibration.arrays import shape_text
from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.calibration.image_files import (
    IMAGE_SUFFIXES,
    ImageFiles,
    data_yaml_source,
    folder_source,
)
from mobileq.calibration.sources import Reading, Source, SourceKind, printable, some
from mobileq.calibration.video_frames import VIDEO_SUFFIXES, VideoFrames
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.manifest import CalibrationInfo, to_json
from mobileq.progress import Progress, Silent, tracked
from mobileq.spec import PreprocessSpec, TensorSpec, batch_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mobileq.vision.letterbox import LetterboxTransform

_FINGERPRINT_VERSION = 2


@dataclass(frozen=True, eq=False)
class Picture:
    """What a sample, or one row of its batch, was made of.

    `image` is uint8 [H, W, 3] RGB, None where it was let go of; `path` is its own file, if it has
    one.
    """

    image: npt.NDArray[np.uint8] | None
    transform: LetterboxTransform
    path: Path | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """What one inference takes.

    `feeds` holds an array for each of the model's inputs, by its name, as a runner takes it: real
    values in float32, or the integers of an input that has no scale. `pictures` is empty where
    finished tensors were given.
    """

    id: str
    feeds: dict[str, npt.NDArray[Any]]
    pictures: tuple[Picture, ...] = ()

    def without_images(self) -> Sample:
        """The same without the decoded pictures, which take more memory than all the rest."""
        pictures = tuple(replace(each, image=None) for each in self.pictures)
        return replace(self, pictures=pictures)


def spread(total: int, count: int) -> list[int]:
    """At most `count` indices of `total`, rising, as far from each other as may be."""
    few = min(count, total)
    return [index * total // few for index in range(few)]


class SampleSet:
    """Chosen samples of a source. Iterates any number of times, with one sample in memory.

    Where the model takes several pictures at a time, each sample has as many, one after the other;
    the last is filled up with the first pictures, which are not in its `pictures` again.

    `ids` are the names of pictures and of finished samples in order, `skipped` holds (name, reason)
    of those that were chosen but cannot be read, and `notices` holds sentences for the person. None
    of them depends on where the source lies.
    """

    def __init__(
        self,
        source: Source,
        positions: Sequence[int],
        preprocess: PreprocessSpec | None,
        inputs: tuple[TensorSpec, ...],
        progress: Progress,
    ) -> None:
        self._source = source
        self._preprocess = preprocess
        self._inputs = inputs
        self._positions, self.skipped = _readable(source, positions, progress)
        self.ids = tuple(source.id(position) for position in self._positions)
        self.kind: SourceKind = source.kind
        self.notices = source.notices
        self._batch = 1 if self.kind == "tensors" else batch_of(inputs)
        self._fingerprint = ""

    def __len__(self) -> int:
        return -(-len(self._positions) // self._batch)

    def __iter__(self) -> Iterator[Sample]:
        """Read, preprocess and yield one sample after the other, in the order of `ids`.

        Raises:
            InputError: A sample that was readable at first is not any more.
        """
        return self.between(0, len(self))

    def between(self, start: int, stop: int) -> Iterator[Sample]:
        """Those from the index `start` up to `stop`, in order. Raises as iterating does."""
        return self.at(range(start, stop))

    def at(self, indices: Iterable[int]) -> Iterator[Sample]:
        """Those, in their order. Raises as iterating does."""
        batch = self._batch
        chosen = [each for at in indices for each in self._positions[at * batch : (at + 1) * batch]]
        rows: list[Reading] = []
        for reading in self._source.read(chosen):
            rows.append(reading)
            if len(rows) == self._batch:
                yield self._sample(rows)
                rows = []
        if rows:
            missing = self._batch - len(rows)
            first = list(self._source.read(self._positions[:missing]))
            yield self._sample(rows, [first[at % len(first)] for at in range(missing)])

    def fingerprint(self) -> str:
        """SHA-256 over the samples' contents and names, the input and the preprocessing.

        Reads all files once more; the result is kept.

        Raises:
            InputError: A file cannot be read any more.
        """
        if not self._fingerprint:
            choice = {
                "version": _FINGERPRINT_VERSION,
                "kind": self.kind,
                "ids": self.ids,
                "preprocess": msgspec.to_builtins(self._preprocess),
                "inputs": msgspec.to_builtins(self._inputs),
            }
            digest = hashlib.sha256(to_json(choice))
            for content in self._source.digests(self._positions):
                digest.update(content.encode())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _sample(self, rows: Sequence[Reading], filling: Sequence[Reading] = ()) -> Sample:
        names = [self._source.id(reading.position) for reading in rows]
        for reading in (*rows, *filling):
            if reading.problem:
                raise InputError(
                    f"{self._source.id(reading.position)} could be read at first; now it "
                    f"{reading.problem}",
                    "Leave the samples as they are while the command runs.",
                )
        if rows[0].feeds is not None:
            return Sample(names[0], rows[0].feeds)
        from mobileq.vision.preprocess import preprocess_batch

        assert self._preprocess is not None
        images = [reading.array for reading in (*rows, *filling) if reading.array is not None]
        tensor, transforms = preprocess_batch(images, self._preprocess, self._inputs[0])
        pictures = tuple(
            Picture(reading.array, transform, self._source.path(reading.position))
            for reading, transform in zip(rows, transforms, strict=False)
        )
        return Sample(", ".join(names), {self._inputs[0].name: tensor}, pictures)


def open_samples(
    path: Path,
    preprocess: PreprocessSpec | None,
    inputs: tuple[TensorSpec, ...],
    count: int | None = None,
    seed: int | None = 0,
    split: str = "train",
    progress: Progress | None = None,
) -> SampleSet:
    """Choose samples and make sure that they can be read.

    Every chosen sample is decoded once here, whole: a header says nothing about the rest of a file,
    and a picture that is cut short must be known before hours of work. What cannot be decoded is
    skipped and not replaced, so that a choice never depends on the other files.

    Args:
        path: A folder of images (with those below it, sorted by relative path), an image, a
            `data.yaml`, a video, or a `.npy` file with uint8 [N, H, W, 3] RGB pictures; or finished
            tensors: a `.npy` file for a model of one input, a `.npz` file, a folder of such files,
            or a folder with one folder for each input (see `mobileq.calibration.archives`).
        preprocess: How pictures become tensors; None where only finished tensors will do.
        inputs: The model's. Pictures feed a model of one input.
        count: How many to choose; None or more than there are: all.
        seed: Of the choice, the same on every platform. None, and frames of a video: they are
            spread evenly instead.
        split: Of a `data.yaml`: "train", "val" or "test".
        progress: Who listens.

    Raises:
        UsageError: There is nothing at `path`, it is of no known kind, or pictures are given but
            `preprocess` is not.
        InputError: There are no samples in it, or fewer than half of the chosen can be read.
    """
    if count is not None and count < 1:
        raise UsageError(f"{count} samples cannot be chosen.", "Ask for at least one.")
    source = _open_source(path, inputs, preprocess, split)
    if source.kind != "tensors":
        _check_preprocess(path, preprocess, inputs)
    chosen = _choose(source, count, seed)
    samples = SampleSet(source, chosen, preprocess, inputs, progress or Silent())
    if 2 * len(samples.ids) < len(chosen):
        reasons = some([f"{name} {reason.rstrip('.')}" for name, reason in samples.skipped])
        raise InputError(
            f"Only {len(samples.ids)} of {len(chosen)} samples of {path} can be read: {reasons}.",
            "Replace or remove the damaged files.",
        )
    return samples


def calibration_info(samples: SampleSet, path: Path, seed: int) -> CalibrationInfo:
    """What a manifest says about the samples; of `path` only the name."""
    return CalibrationInfo(
        source=printable(Path(os.path.abspath(path)).name),
        count=len(samples.ids),
        seed=seed,
        ids=samples.ids,
        skipped=samples.skipped,
    )


def _open_source(
    path: Path, inputs: tuple[TensorSpec, ...], preprocess: PreprocessSpec | None, split: str
) -> Source:
    suffix = path.suffix.lower()
    if not os.path.lexists(path):
        raise UsageError(f"There is no file or folder {path}.", "Check the path to the samples.")
    if path.is_dir():
        return _open_folder(path, inputs, preprocess)
    if suffix in (".yaml", ".yml"):
        return data_yaml_source(read_data_yaml(path), split)
    if suffix == ".npz":
        return ArchiveRows(path, inputs)
    if suffix == ".npy":
        if len(inputs) != 1:
            raise UsageError(
                f"{path} holds one array, but the model has {len(inputs)} inputs.",
                "Save one for each input in a .npz file, under the inputs' names: "
                f"{', '.join(spec.name for spec in inputs)}.",
            )
        return array_source(path, inputs[0])
    if suffix in VIDEO_SUFFIXES:
        return VideoFrames(path)
    if suffix in IMAGE_SUFFIXES:
        return ImageFiles("image", {printable(path.name): path})
    raise UsageError(
        f"{path} is no known kind of samples.",
        "Give a folder of images, an image, a data.yaml, a video, or a .npy or .npz file.",
    )


def _open_folder(
    path: Path, inputs: tuple[TensorSpec, ...], preprocess: PreprocessSpec | None
) -> Source:
    """Pictures where there are any; arrays among them are ignored as other files are."""
    try:
        arrays = array_folder(path, inputs, preprocess)
    except OSError as error:
        raise unreadable(path, error) from error
    if arrays is None:
        return folder_source(path)
    if isinstance(arrays, InputFolders) or not any(
        each.suffix.lower() in IMAGE_SUFFIXES for each in path.iterdir()
    ):
        return arrays
    return folder_source(path)


def _check_preprocess(
    path: Path, preprocess: PreprocessSpec | None, inputs: tuple[TensorSpec, ...]
) -> None:
    if len(inputs) != 1:
        names = [spec.name for spec in inputs]
        raise UsageError(
            f"{path} holds pictures, and the model has {len(inputs)} inputs: {', '.join(names)}.",
            "Give .npz files with an array for each, or a folder for each; or make the others "
            f"constants: --set {names[-1]}=VALUE.",
        )
    (spec,) = inputs
    if preprocess is None:
        listed = ", ".join(map(str, ("N", *spec.shape[1:])))
        raise UsageError(
            f"{path} holds pictures, but how the model wants them is not known: its input is "
            f"{shape_text(spec)}.",
            f"Give finished tensors: a .npy file of {spec.dtype} [{listed}]"
            + (", or describe the input with --spec FILE." if _may_be_picture(spec) else "."),
        )
    shape = preprocess.tensor_shape(batch_of(inputs))
    if shape != spec.shape:
        raise InputError(
            f"The preprocessing gives {list(shape)}, but the model's input {spec.name} is "
            f"{list(spec.shape)}.",
            "Correct the width, height or layout of the preprocessing.",
        )


def _may_be_picture(spec: TensorSpec) -> bool:
    channels = {"NCHW": 1, "NHWC": 3}
    return spec.layout is not None and spec.shape[channels[spec.layout]] in (1, 3)


def _choose(source: Source, count: int | None, seed: int | None) -> Sequence[int]:
    """Ascending positions: drawn, or spread evenly where neighbours are alike."""
    if count is None or count >= source.count:
        return range(source.count)
    if source.in_time or seed is None:
        return evenly(source.count, count)
    return sorted(random.Random(seed).sample(range(source.count), count))


def evenly(length: int, count: int) -> list[int]:
    """`count` positions, each in the middle of an equal part."""
    return [(2 * part + 1) * length // (2 * count) for part in range(count)]


def _readable(
    source: Source, positions: Sequence[int], progress: Progress
) -> tuple[tuple[int, ...], tuple[tuple[str, str], ...]]:
    """The positions that can be read, and (name, reason) of the others."""
    readable: list[int] = []
    skipped: list[tuple[str, str]] = []
    readings = source.read(positions)
    for reading in tracked(readings, progress, "Reading calibration pictures", len(positions)):
        if reading.problem:
            skipped.append((source.id(reading.position), reading.problem))
        else:
            readable.append(reading.position)
    return tuple(readable), tuple(skipped)

"""Calibration and evaluation samples: finished tensors, one at a time, from whatever is given."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mobileq.calibration.array_rows import array_source
from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.calibration.image_files import (
    IMAGE_SUFFIXES,
    ImageFiles,
    data_yaml_source,
    folder_source,
)
from mobileq.calibration.sources import Reading, Source, SourceKind, printable, some
from mobileq.calibration.video_frames import VIDEO_SUFFIXES, VideoFrames
from mobileq.errors import InputError, UsageError
from mobileq.manifest import CalibrationInfo, to_json
from mobileq.progress import Progress, Silent, tracked
from mobileq.spec import PreprocessSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mobileq.vision.letterbox import LetterboxTransform

_FINGERPRINT_VERSION = 1


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


class SampleSet:
    """Chosen samples of a source. Iterates any number of times, with one sample in memory.

    `ids` are the samples' names in order, `skipped` holds (name, reason) of those that were chosen
    but cannot be read, and `notices` holds sentences for the person. None of them depends on where
    the source lies.
    """

    def __init__(
        self,
        source: Source,
        positions: Sequence[int],
        preprocess: PreprocessSpec | None,
        input_spec: TensorSpec,
        progress: Progress,
    ) -> None:
        self._source = source
        self._preprocess = preprocess
        self._input_spec = input_spec
        self._positions, self.skipped = _readable(source, positions, progress)
        self.ids = tuple(source.id(position) for position in self._positions)
        self.kind: SourceKind = source.kind
        self.notices = source.notices
        self._fingerprint = ""

    def __len__(self) -> int:
        return len(self._positions)

    def __iter__(self) -> Iterator[Sample]:
        """Read, preprocess and yield one sample after the other, in the order of `ids`.

        Raises:
            InputError: A sample that was readable at first is not any more.
        """
        return self.between(0, len(self))

    def between(self, start: int, stop: int) -> Iterator[Sample]:
        """Those from the index `start` up to `stop`, in order. Raises as iterating does."""
        for reading in self._source.read(self._positions[start:stop]):
            yield self._sample(reading)

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
                "input": msgspec.to_builtins(self._input_spec),
            }
            digest = hashlib.sha256(to_json(choice))
            for content in self._source.digests(self._positions):
                digest.update(content.encode())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _sample(self, reading: Reading) -> Sample:
        name = self._source.id(reading.position)
        if reading.array is None:
            raise InputError(
                f"{name} could be read at first; now it {reading.problem}",
                "Leave the samples as they are while the command runs.",
            )
        if self.kind == "tensors" or self._preprocess is None:
            return Sample(name, {self._input_spec.name: reading.array})
        from mobileq.vision.preprocess import preprocess

        dtype: Literal["uint8", "float32"] = (
            "uint8" if self._input_spec.dtype == "uint8" else "float32"
        )
        tensor, transform = preprocess(reading.array, self._preprocess, dtype)
        picture = Picture(reading.array, transform, self._source.path(reading.position))
        return Sample(name, {self._input_spec.name: tensor}, (picture,))


def open_samples(
    path: Path,
    preprocess: PreprocessSpec | None,
    input_spec: TensorSpec,
    count: int | None = None,
    seed: int = 0,
    split: str = "train",
    progress: Progress | None = None,
) -> SampleSet:
    """Choose samples and make sure that they can be read.

    Every chosen sample is decoded once here, whole: a header says nothing about the rest of a file,
    and a picture that is cut short must be known before hours of work. What cannot be decoded is
    skipped and not replaced, so that a choice never depends on the other files.

    Args:
        path: A folder of images (with those below it, sorted by relative path), an image, a
            `data.yaml`, a video, or a `.npy` file: uint8 [N, H, W, 3] RGB pictures, or float32
            [N, *input shape] finished tensors.
        preprocess: How pictures become tensors; None where only finished tensors will do.
        input_spec: The model's input.
        count: How many to choose; None or more than there are: all.
        seed: Of the choice. The same on every platform; frames of a video are spread evenly
            instead.
        split: Of a `data.yaml`: "train", "val" or "test".
        progress: Who listens.

    Raises:
        UsageError: There is nothing at `path`, it is of no known kind, or pictures are given but
            `preprocess` is not.
        InputError: There are no samples in it, or fewer than half of the chosen can be read.
    """
    if count is not None and count < 1:
        raise UsageError(f"{count} samples cannot be chosen.", "Ask for at least one.")
    source = _open_source(path, input_spec, split)
    if source.kind != "tensors":
        _check_preprocess(path, preprocess, input_spec)
    chosen = _choose(source, count, seed)
    samples = SampleSet(source, chosen, preprocess, input_spec, progress or Silent())
    if 2 * len(samples) < len(chosen):
        reasons = some([f"{name} {reason.rstrip('.')}" for name, reason in samples.skipped])
        raise InputError(
            f"Only {len(samples)} of {len(chosen)} samples of {path} can be read: {reasons}.",
            "Replace or remove the damaged files.",
        )
    return samples


def calibration_info(samples: SampleSet, path: Path, seed: int) -> CalibrationInfo:
    """What a manifest says about the samples; of `path` only the name."""
    return CalibrationInfo(
        source=printable(Path(os.path.abspath(path)).name),
        count=len(samples),
        seed=seed,
        ids=samples.ids,
        skipped=samples.skipped,
    )


def _open_source(path: Path, input_spec: TensorSpec, split: str) -> Source:
    suffix = path.suffix.lower()
    if not os.path.lexists(path):
        raise UsageError(f"There is no file or folder {path}.", "Check the path to the samples.")
    if path.is_dir():
        return folder_source(path)
    if suffix in (".yaml", ".yml"):
        return data_yaml_source(read_data_yaml(path), split)
    if suffix == ".npy":
        return array_source(path, input_spec)
    if suffix in VIDEO_SUFFIXES:
        return VideoFrames(path)
    if suffix in IMAGE_SUFFIXES:
        return ImageFiles("image", {printable(path.name): path})
    raise UsageError(
        f"{path} is no known kind of samples.",
        "Give a folder of images, an image, a data.yaml, a video, or a .npy file.",
    )


def _check_preprocess(
    path: Path, preprocess: PreprocessSpec | None, input_spec: TensorSpec
) -> None:
    if preprocess is None:
        raise UsageError(
            f"{path} holds pictures, but how the model wants them is not known.",
            "State the preprocessing, or give finished tensors as a float32 .npy file.",
        )
    shape = preprocess.tensor_shape()
    if shape != input_spec.shape:
        raise InputError(
            f"The preprocessing gives {list(shape)}, but the model's input {input_spec.name} is "
            f"{list(input_spec.shape)}.",
            "Correct the width, height or layout of the preprocessing.",
        )


def _choose(source: Source, count: int | None, seed: int) -> Sequence[int]:
    """Ascending positions: drawn, or in the middle of equal parts where neighbours are alike."""
    if count is None or count >= source.count:
        return range(source.count)
    if source.in_time:
        return [(2 * part + 1) * source.count // (2 * count) for part in range(count)]
    return sorted(random.Random(seed).sample(range(source.count), count))


def _readable(
    source: Source, positions: Sequence[int], progress: Progress
) -> tuple[tuple[int, ...], tuple[tuple[str, str], ...]]:
    """The positions that can be read, and (name, reason) of the others."""
    readable: list[int] = []
    skipped: list[tuple[str, str]] = []
    readings = source.read(positions)
    for reading in tracked(readings, progress, "Reading calibration pictures", len(positions)):
        if reading.array is None:
            skipped.append((source.id(reading.position), reading.problem))
        else:
            readable.append(reading.position)
    return tuple(readable), tuple(skipped)

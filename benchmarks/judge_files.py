"""Int8 files of one detector that differ in how they were made, and what they say of pictures."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import copied_calibration, data_folder
from accuracy_runs import StoredAnswers, opened, tell
from numpy.typing import NDArray

from mobileq.cache import ResultCache
from mobileq.calibration.ranges import Method
from mobileq.calibration.samples import Picture, Sample
from mobileq.errors import MobileqError
from mobileq.progress import Silent
from mobileq.quantize.plan import TRIED, tensors_of
from mobileq.quantize.regions import float_levels
from mobileq.quantize.repairs.registry import INPUT_SCALING
from mobileq.quantize.variants import Ranging, Variant, Variants
from mobileq.spec import IoDtype, ModelSpec, Precision, QuantRecipe
from mobileq.targets.base import ConversionJob, Runner
from mobileq.targets.registry import load_target
from mobileq.tasks.base import task_of
from mobileq.tasks.detect.decode import decode, decode_some
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.preprocess import feed_picture, read_image
from mobileq.workflows.inputs import open_calibration
from mobileq.workflows.opening import OpenModel, Overrides
from mobileq.workflows.source import Source, prepare, with_head
from mobileq.workflows.stages import Stages

CALIBRATED = 64
"""Pictures of coco128, the first by file name; judges see others of it, the last."""
FLOAT = "float"
KEPT_SCORE, KEPT_FLOAT_SCORE = 0.02, 0.001
"""Of cells that are kept: where either sees more than the first, of the float model's own more."""
CALIBRATORS: tuple[Method, ...] = ("fisher", *TRIED)
"""What the search begins with first."""
AT_A_TIME = 54
"""Pictures in memory."""
Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Recipe:
    """How one file is made.

    Attributes:
        level: Of float ops: 0 none, 1 about 2.5 % of the work, 2 as much as the search allows.
        repair: Behind input scaling; "none": without that too.
        first, last: Of the calibration pictures, those that give the ranges.
    """

    method: Method = "mse"
    level: int = 0
    repair: str = ""
    precision: Precision = "int8"
    first: int = 0
    last: int = CALIBRATED

    @property
    def key(self) -> str:
        """A name for files and tables."""
        part = "" if self.last - self.first == CALIBRATED else f"{self.first}to{self.last}"
        return "-".join(filter(None, (f"level{self.level}", self.method, self.repair, part)))

    @property
    def is_plain(self) -> bool:
        """Whether its calibrator is all that is special about it."""
        return not self.repair and self.last - self.first == CALIBRATED

    @property
    def preference(self) -> tuple[int, int, bool, int]:
        """What is taken, the least, where nothing is shown: fewer float ops, the calibrator that
        the search begins with or that is best most often, fitted weights, more pictures."""
        fitted = self.repair in ("weight-rounding", "weight-shift")
        return self.level, CALIBRATORS.index(self.method), not fitted, self.first - self.last


RECIPES = (
    *(Recipe(method, level) for level in (0, 1, 2) for method in CALIBRATORS),
    Recipe(repair="none"),
    Recipe(repair="weight-rounding", precision="int8-full"),
    Recipe(repair="weight-shift"),
    Recipe(level=1, first=32),
    Recipe(level=1, last=16),
    Recipe(level=1, last=8),
    Recipe("percentile", last=16),
)


class Files:
    """The files of one model, made where they are not there yet.

    Args:
        folder: Outlives the run.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self._scratch, self._files = folder / "scratch", folder / "files"
        shutil.rmtree(self._scratch, ignore_errors=True)
        for each in (self._scratch, self._files):
            each.mkdir(parents=True, exist_ok=True)
        stages = Stages(ResultCache(enabled=False), self._scratch, Silent())
        source: Source = with_head(stages, prepare(stages, model, Overrides()), "raw")
        self._source, self.spec = source, source.spec
        self._target, self._of_part = load_target("tflite"), dict[tuple[int, int], Variants]()

    def models(self) -> dict[str, OpenModel]:
        """By `Recipe.key`, the float model first. What cannot be made is told, and left out."""
        spec = self.spec
        onnx = OpenModel(FLOAT, self._source.onnx, "onnxruntime", spec, spec.inputs, spec.outputs)
        found = {FLOAT: onnx}
        for recipe in RECIPES:
            path = self._files / f"{recipe.key}.tflite"
            try:
                if not path.exists():
                    self._make(recipe, path)
                file = self._target.read(path)
                found[recipe.key] = OpenModel(
                    recipe.key,
                    path,
                    "tflite",
                    spec,
                    self._target.matched(spec.inputs, file.inputs),
                    self._target.matched(spec.outputs, file.outputs),
                )
            except MobileqError as error:
                tell(f"{spec.name} {recipe.key}: {error}")
        self._target.close()
        return found

    def _make(self, recipe: Recipe, path: Path) -> None:
        variants, kept = self._whole, self._levels[recipe.level]
        ranging = self._ranging(recipe.method)
        scaled = variants.given if recipe.repair == "none" else variants.scaled(ranging)
        variant = scaled
        if recipe.repair not in ("", "none"):
            variant = variants.repaired((INPUT_SCALING, recipe.repair), ranging, kept, scaled)
        if recipe.last - recipe.first < CALIBRATED:
            ranges = self._part(recipe, scaled).ranges(scaled, ranging)
        else:
            ranges = variants.ranges(variant, ranging)
        io: IoDtype = "int8" if recipe.precision == "int8-full" else "float32"
        unfinished = path.with_suffix(".unfinished.tflite")
        scratch = self._scratch / variant.sha256[:16]
        scratch.mkdir(exist_ok=True)
        job = ConversionJob(
            model=variant.onnx,
            spec=self.spec,
            recipe=QuantRecipe(precision=recipe.precision, io=io),
            ranges=ranges,
            keep_float=tensors_of(variant.groups, kept),
            samples=lambda: (sample.feeds for sample in self._samples(0, CALIBRATED)),
            sample_count=CALIBRATED,
            output=unfinished,
            scratch=scratch,
            progress=Silent(),
        )
        self._target.convert(job)
        unfinished.rename(path)
        tell(f"{self.spec.name} {recipe.key}: made, {len(kept)} groups in float")

    def _ranging(self, method: Method) -> Ranging:
        return Ranging(method, 8, tuple(sorted(self._target.info.fixed_ranges.items())))

    def _samples(self, first: int, last: int) -> Any:
        folder = self._scratch / f"pictures-{first}-{last}"
        if not folder.exists():
            copied_calibration(folder, last)
            for path in sorted(folder.iterdir())[:first]:
                path.unlink()
        return open_calibration(self.spec, folder, last - first, 0, Silent())

    @cached_property
    def _whole(self) -> Variants:
        return self._variants(self._source.onnx, 0, CALIBRATED)

    def _part(self, recipe: Recipe, scaled: Variant) -> Variants:
        part = recipe.first, recipe.last
        if part not in self._of_part:
            self._of_part[part] = self._variants(scaled.onnx, *part)
        return self._of_part[part]

    def _variants(self, onnx: Path, first: int, last: int) -> Variants:
        folder = self._scratch / f"variants-{first}-{last}"
        folder.mkdir()
        return Variants(onnx, self.spec, self._samples(first, last), folder, Silent())

    @cached_property
    def _levels(self) -> list[tuple[str, ...]]:
        """Names of the groups in float."""
        ranging = self._ranging("mse")
        scaled = self._whole.scaled(ranging)
        feeds = [each.feeds for each in self._samples(0, CALIBRATED).between(0, 2)]
        errors = self._whole.errors(scaled, ranging, feeds)
        kinds = self._target.info.float_kinds
        levels = float_levels(scaled.model, scaled.groups, errors, kinds=kinds)
        return [levels[0], levels[len(levels) // 2], levels[-1]]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one file makes of one picture: all that judges are made of.

    Attributes:
        detections: In source pixels, from a score of .001 on.
        noise: [outputs]: power of what they are off, and
        signal: [outputs]: of what they should be.
        cells: [N]: which of the model's cells are kept.
        xyxy: float32 [N, 4], model-input pixels.
        scores: float16 [N, classes].
    """

    detections: Detections
    noise: tuple[float, ...]
    signal: tuple[float, ...]
    cells: NDArray[np.int32]
    xyxy: NDArray[np.float32]
    scores: NDArray[np.float16]


class Answers:
    """What the files say, kept on disk picture by picture: a run that was cut goes on there."""

    def __init__(self, models: dict[str, OpenModel], spec: ModelSpec, folder: Path) -> None:
        self._models, self._spec, self._folder = models, spec, folder
        self._task = task_of(spec)
        self._runners: dict[str, Runner] = {}
        self._cells: int | None = None

    def truth(
        self, start: int, end: int | None
    ) -> tuple[Any, list[int], dict[str, list[Detections]]]:
        """(labels, keys of pictures, by file its detections in each) of these pictures of coco500,
        counted in an order drawn at random."""
        images = data_folder() / "coco500/images"
        truth = self._task.truth(images.parent / "annotations.json", images)
        order = np.random.default_rng(0).permutation(len(truth.images))[start:end]
        pictures = [truth.images[at] for at in order]
        stored = self._stored("coco500")
        self._open(stored, len(pictures))
        for start in range(0, len(pictures), AT_A_TIME):
            self._read(pictures[start : start + AT_A_TIME], stored)
        keys = [key for key, _ in pictures]
        found = {
            name: [each for key in keys for each in answers.by_picture[key]]
            for name, answers in stored.items()
        }
        return truth, keys, found

    def seen(self) -> dict[str, list[Seen]]:
        """Of the pictures for judges."""
        paths = sorted((data_folder() / "coco128/images").glob("*.jpg"), key=lambda at: at.name)
        paths = paths[CALIBRATED:]
        stored, count = self._stored("seen"), len(paths)
        self._open(stored, count)
        for start in range(0, count, AT_A_TIME):
            keys = range(start, min(start + AT_A_TIME, count))
            if not all(key in answers.by_picture for answers in stored.values() for key in keys):
                self._look({key: self._sample(key, paths[key]) for key in keys}, stored)
        tell(f"{self._spec.name}: {count} pictures for judges")
        return {
            name: [answers.by_picture[key][0] for key in range(count)]
            for name, answers in stored.items()
        }

    def _read(self, pictures: Sequence[tuple[int, Path]], stored: dict[str, StoredAnswers]) -> None:
        """All pictures through one file after the other: its weights stay in the caches."""
        if all(key in answers.by_picture for answers in stored.values() for key, _ in pictures):
            return
        samples = [(key, self._sample(key, path)) for key, path in pictures]
        for name, answers in stored.items():
            for key, sample in samples:
                if key not in answers.by_picture:
                    outputs = self._runners[name].run(sample.feeds)
                    answers.add(key, self._task.read(outputs, sample, "all"))
        tell(f"{self._spec.name}: {len(pictures)} pictures of coco500")

    def _sample(self, key: int, path: Path) -> Sample:
        feeds, transform = feed_picture(self._spec, read_image(path))
        return Sample(str(key), feeds, (Picture(None, transform),))

    def _look(self, samples: dict[int, Sample], stored: dict[str, StoredAnswers]) -> None:
        """As `_read`."""
        float_runner = self._runners[FLOAT]
        wanted = {key: float_runner.run(sample.feeds) for key, sample in samples.items()}
        own = {key: self._candidates(outputs) for key, outputs in wanted.items()}
        for name, answers in stored.items():
            for key, sample in samples.items():
                if key in answers.by_picture:
                    continue
                right, cells = wanted[key], own[key]
                outputs = right
                if name != FLOAT:
                    outputs = self._runners[name].run(sample.feeds)
                    objects = cells[0][cells[2].max(axis=1, initial=0.0) >= KEPT_SCORE]
                    cells = self._candidates(outputs, objects)
                powers = tuple(float(np.square(each).mean()) for each in right.values())
                noise = (float(np.square(outputs[each] - right[each]).mean()) for each in right)
                (detections,) = self._task.read(outputs, sample, "all")
                answers.add(key, (Seen(detections, tuple(noise), powers, *cells),))

    def _candidates(
        self, outputs: Feeds, always: NDArray[Any] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float16]]:
        """Args: always: The float model's objects; None where it is that one itself."""
        decoding, preprocess = self._spec.decode, self._spec.preprocess
        assert decoding is not None
        assert preprocess is not None
        area = preprocess.width, preprocess.height
        if always is None:
            found = decode(decoding, outputs, *area, KEPT_FLOAT_SCORE)
        else:
            if self._cells is None:
                self._cells = len(decode(decoding, outputs, *area, -math.inf))
            wanted = np.zeros(self._cells, bool)
            wanted[always] = True
            found = decode_some(decoding, outputs, *area, KEPT_SCORE, wanted)
        assert found.cells is not None
        assert found.scores is not None
        return found.cells.astype(np.int32), found.xyxy, found.scores.astype(np.float16)

    def _stored(self, kind: str) -> dict[str, StoredAnswers]:
        folder = self._folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        return {name: StoredAnswers(folder / name) for name in self._models}

    def _open(self, stored: dict[str, StoredAnswers], count: int) -> None:
        """All files where some have pictures left."""
        for name, model in self._models.items():
            is_wanted = any(len(each.by_picture) < count for each in stored.values())
            if is_wanted and name not in self._runners:
                self._runners[name] = opened(model, threads=1)

"""The pictures that choices are made on: never those that a result is reported on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.hashing import file_digest
from mobileq.manifest import to_json
from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.quantize.output_error import Reference
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner
from mobileq.tasks.detect.coco import (
    REFERENCE_SCORE,
    CocoResult,
    agreement,
    category_ids_for,
    mean_average_precision,
    to_coco_results,
)
from mobileq.tasks.detect.decode.arrays import picture_outputs
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample, SampleSet
    from mobileq.tasks.detect.detections import Detections
    from mobileq.tasks.detect.labels.dataset import GroundTruth

    Outputs = dict[str, NDArray[Any]]

COMPARED = 8
"""Pictures whose outputs are kept and compared; of more, detections alone are."""
UNLABELLED = 24
_FEW = 16
"""Objects; with fewer, one that is found or not moves the mAP more than any choice would."""


@dataclass(frozen=True)
class Pictures:
    """Where the pictures come from; `image_ids` go with `truth`, both None without labels."""

    samples: SampleSet | None
    start: int = 0
    stop: int = 0
    truth: GroundTruth | None = None
    labelled: tuple[tuple[int, Path], ...] = ()

    def __len__(self) -> int:
        return len(self.labelled) if self.truth else self.stop - self.start

    @property
    def description(self) -> str:
        """For reports."""
        if self.truth:
            return f"{len(self)} labelled pictures"
        return f"{len(self)} calibration pictures"

    def fingerprint(self) -> str:
        """What choices made on them depend on, besides the calibration samples themselves."""
        if self.truth is None:
            return f"{self.start} to {self.stop}"
        hashed = hashlib.sha256(to_json(self.truth.coco))
        for _, path in self.labelled:
            hashed.update(file_digest(path).encode())
        return hashed.hexdigest()

    def feeds(self, spec: ModelSpec) -> Iterator[Sample]:
        """The pictures as the model takes them."""
        if self.truth is None:
            assert self.samples is not None
            yield from self.samples.between(self.start, self.stop)
            return
        from mobileq.calibration.samples import Picture, Sample
        from mobileq.vision.preprocess import feed_picture, read_image

        for _, path in self.labelled:
            feeds, transform = feed_picture(spec, read_image(path))
            yield Sample(path.name, feeds, (Picture(None, transform, path),))


def split_labelled(truth: GroundTruth) -> tuple[Pictures, Pictures]:
    """Every other picture to decide on, the rest to report on."""
    halves = truth.images[0::2], truth.images[1::2]
    return (
        Pictures(None, truth=truth, labelled=halves[0]),
        Pictures(None, truth=truth, labelled=halves[1]),
    )


@dataclass(frozen=True)
class Score:
    """What a file made of the pictures; `lost` is None where the float model has no mAP."""

    error: float
    lost: float | None


class Decision:
    """The float model's results on some pictures, to hold quantized files against.

    Args:
        runner: Of the float model.
        spec: Its own.
        pictures: Some.
    """

    def __init__(
        self, runner: Runner, spec: ModelSpec, pictures: Pictures, progress: Progress
    ) -> None:
        self._spec, self._pictures = spec, pictures
        self._samples: list[Sample] = []
        self._references: list[Reference] = []
        self._found: list[Detections] = []
        done = _run_ahead(runner, pictures.feeds(spec))
        for sample, outputs in tracked(done, progress, "Running the float model", len(pictures)):
            if len(self._references) < COMPARED:
                self._references.append(Reference(spec, outputs))
            self._samples.append(sample.without_images())
            self._append(self._found, outputs, sample)
        self._seen = [int((each.score >= REFERENCE_SCORE).sum()) for each in self._found]
        self._float_map = self._map(self._found) if pictures.truth else float(any(self._seen))

    @property
    def float_map(self) -> float | None:
        """mAP50-95 of the float model itself, 0 where it finds nothing; None where nothing can be
        decoded. Without labels its own detections are the truth."""
        return self._float_map if self._found else None

    @property
    def objects(self) -> int:
        """What the float model finds in all pictures."""
        return sum(self._seen)

    @property
    def few_objects(self) -> bool:
        """Too few for the mAP to tell one file from another."""
        return self.objects < _FEW

    def score(self, runner: Runner) -> Score:
        """Run a file on the pictures."""
        errors: list[float] = []
        found: list[Detections] = []
        for at, (sample, outputs) in enumerate(_run_ahead(runner, self._samples)):
            if at < len(self._references):
                errors.append(self._references[at].compare(outputs).error)
            self._append(found, outputs, sample)
        return Score(
            error=sum(errors) / len(errors),
            lost=self._lost(found) if self.float_map else None,
        )

    def sensitivity_samples(self, count: int) -> list[dict[str, NDArray[Any]]]:
        """Inputs of the first pictures, those in which something is found before the others."""
        empty = [seen == 0 for seen in self._seen] or [False] * len(self._samples)
        order = sorted(range(len(self._samples)), key=empty.__getitem__)
        return [self._samples[at].feeds for at in order[:count]]

    def _append(self, found: list[Detections], outputs: Outputs, sample: Sample) -> None:
        if self._spec.decode is None:
            return
        thresholds = Thresholds.evaluation()
        for row, picture in enumerate(sample.pictures):
            own = picture_outputs(outputs, row, self._spec.batch)
            found.append(postprocess(self._spec.decode, own, picture.transform, thresholds))

    def _lost(self, found: Sequence[Detections]) -> float:
        if self._pictures.truth is None:
            return 1.0 - agreement(self._found, found).map50_95
        return self._float_map - self._map(found)

    def _map(self, found: Sequence[Detections]) -> float:
        truth, decode = self._pictures.truth, self._spec.decode
        if truth is None or decode is None:
            return 0.0
        ids = category_ids_for(self._spec.labels, decode.class_count, truth.coco["categories"])
        images = [image_id for image_id, _ in self._pictures.labelled]
        results: list[CocoResult] = []
        for image_id, detections in zip(images, found, strict=True):
            results += to_coco_results(detections, image_id, ids)
        return mean_average_precision(truth.coco, results, images).map50_95


def _run_ahead(runner: Runner, samples: Iterable[Sample]) -> Iterator[tuple[Sample, Outputs]]:
    """Each sample and its outputs; the next one runs while the caller looks at them."""
    return in_parallel(lambda sample: runner.run(sample.feeds), samples, 1)

"""The pictures that choices are made on: never those that a result is reported on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.bootstrap import PERFECT, Estimate, resamples
from mobileq.evaluate.runs import run_each
from mobileq.hashing import file_digest
from mobileq.manifest import to_json
from mobileq.progress import Progress, tracked
from mobileq.quantize.search import ENOUGH_ERROR, times_off
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner
from mobileq.tasks.base import Answer, Outputs, Reference, Scored, Truth, task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample, SampleSet

COMPARED = 24
"""Pictures whose outputs are kept and compared; of more, answers alone are. Where the measure can't
decide on so few pictures it is the error of all of them that does."""
FEW = 8
"""Pictures that tell whether a file is off by too much to look at more."""
UNLABELLED = 24


@dataclass(frozen=True)
class Pictures:
    """Where the pictures come from; `image_ids` go with `truth`, both None without labels."""

    samples: SampleSet | None
    start: int = 0
    stop: int = 0
    truth: Truth | None = None
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
        hashed = hashlib.sha256(to_json(self.truth.content))
        for _, path in self.labelled:
            hashed.update(file_digest(path).encode())
        return hashed.hexdigest()

    def feeds(self, spec: ModelSpec) -> Iterator[Sample]:
        """The pictures as the model takes them."""
        if self.truth is None:
            assert self.samples is not None
            return self.samples.between(self.start, self.stop)
        return picture_samples(spec, (path for _, path in self.labelled))


def picture_samples(spec: ModelSpec, paths: Iterable[Path]) -> Iterator[Sample]:
    """A sample of each picture alone; models of several at a time get it in every row.

    Raises:
        InputError: A file is no picture.
    """
    from mobileq.calibration.samples import Picture, Sample
    from mobileq.vision.preprocess import feed_picture, read_image

    for path in paths:
        feeds, transform = feed_picture(spec, read_image(path))
        yield Sample(path.name, feeds, (Picture(None, transform, path),))


def unlabelled(samples: SampleSet, reported: int) -> Pictures:
    """Calibration pictures to decide on: those after the first, which results are reported on.

    Where there are too few for both, the first are used as well.
    """
    start = reported if len(samples) >= 2 * reported else 0
    return Pictures(samples, start, min(len(samples), start + UNLABELLED))


def split_labelled(truth: Truth) -> tuple[Pictures, Pictures]:
    """Every other picture to decide on, the rest to report on."""
    halves = truth.images[0::2], truth.images[1::2]
    return (
        Pictures(None, truth=truth, labelled=halves[0]),
        Pictures(None, truth=truth, labelled=halves[1]),
    )


@dataclass(frozen=True)
class Score:
    """What a file made of the pictures.

    Attributes:
        errors: Of the first of them, at most `COMPARED` where the measure decides.
        lost: Of the task's measure; None where the float model has nothing to lose, or the file
            `is_given_up`.
    """

    errors: tuple[float, ...]
    lost: Estimate | None
    is_given_up: bool = False

    @property
    def error(self) -> float:
        """The pictures' mean."""
        return math.fsum(self.errors) / len(self.errors)


class Decision:
    """The float model's results on some pictures, to hold quantized files against.

    Args:
        spec: Of the float model.
        pictures: Some.
    """

    def __init__(self, spec: ModelSpec, pictures: Pictures) -> None:
        self._task, self._pictures = task_of(spec), pictures
        measure = self._task.measure
        by_error = measure is not None and len(pictures) < measure.decisive
        self._compared = len(pictures) if by_error else COMPARED
        self._few = 0 if by_error else FEW
        self._samples: list[Sample] = []
        self._references: list[Reference] = []
        self._answers: list[Answer] = []
        self._counts: list[int] = []

    @classmethod
    def of(
        cls, runner: Runner, spec: ModelSpec, pictures: Pictures, progress: Progress
    ) -> Decision:
        """Of what the float model gives when it is run."""
        decision = cls(spec, pictures)
        done = run_each(runner, pictures.feeds(spec))
        for sample, outputs in tracked(done, progress, "Running the float model", len(pictures)):
            decision.add(sample, outputs)
        return decision

    def add(self, sample: Sample, outputs: Outputs) -> None:
        """What the float model gives for the next picture."""
        if len(self._references) < self._compared:
            self._references.append(self._task.reference(outputs))
        self._samples.append(sample.without_images())
        answers = self._task.read(outputs, sample, "all")
        self._answers += answers
        self._counts.append(sum(map(self._task.count, answers)))

    @property
    def is_complete(self) -> bool:
        """Whether all pictures are there."""
        return len(self._samples) == len(self._pictures)

    @cached_property
    def float_value(self) -> float | None:
        """The measure of the float model itself, 0 where it has no answer; None where nothing can
        be read. Without labels its own answers are the truth."""
        if not self._answers:
            return None
        if self._pictures.truth is not None:
            return self._measured(self._pictures.truth, self._answers).value
        return float(any(self._counts))

    @property
    def count(self) -> int:
        """How much the float model answers to all pictures."""
        return sum(self._counts)

    @property
    def is_little(self) -> bool:
        """Too little for the measure to tell one file from another."""
        measure = self._task.measure
        return measure is not None and self.count < measure.decisive

    @property
    def is_by_measure(self) -> bool:
        """Whether the measure tells files apart."""
        return bool(self.float_value) and not self.is_little

    def score(self, runner: Runner, first: Sequence[float] = ()) -> Score:
        """Run a file on the pictures.

        Args:
            first: Another one's errors. A file that is off by much more on a few pictures is given
                up: not run on further ones.
        """
        errors: list[float] = []
        answers: list[Answer] = []
        with closing(run_each(runner, self._samples)) as ran:
            for at, (sample, outputs) in enumerate(ran, start=1):
                if at <= len(self._references):
                    errors.append(self._references[at - 1].error(outputs))
                if at == self._few < len(self._samples) and times_off(errors, first) > ENOUGH_ERROR:
                    return Score(tuple(errors), None, is_given_up=True)
                answers += self._task.read(outputs, sample, "all")
        return Score(tuple(errors), self._lost(answers) if self.float_value else None)

    def sensitivity_samples(self, count: int) -> list[dict[str, NDArray[Any]]]:
        """Inputs of the first pictures, those to which there is an answer before the others."""
        order = sorted(range(len(self._samples)), key=lambda at: self._counts[at] == 0)
        return [self._samples[at].feeds for at in order[:count]]

    def _lost(self, answers: Sequence[Answer]) -> Estimate:
        truth = self._pictures.truth
        if truth is None:
            return PERFECT - self._estimate(self._task.agreement(self._answers, answers))
        return self._measured(truth, self._answers) - self._measured(truth, answers)

    def _measured(self, truth: Truth, answers: Sequence[Answer]) -> Estimate:
        keys = [key for key, _ in self._pictures.labelled]
        return self._estimate(self._task.score(truth, keys, answers))

    def _estimate(self, scored: Scored) -> Estimate:
        assert self._task.measure is not None
        drawn = scored.resampled(resamples(len(self._answers)))
        return Estimate(self._task.measure.value(scored.figures), drawn)

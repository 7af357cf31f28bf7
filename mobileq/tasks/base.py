"""The door to tasks: what a model's outputs mean, and how one model's are held against another's.

Each task has a room of its own, `mobileq/tasks/NAME`, with parts of fixed names that are imported
when somebody asks for them: `task` has `bound(spec)` and `MEASURE`, others know how such a model is
recognised. A new task is a folder and a name in `ROOMS`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from mobileq.errors import UsageError
from mobileq.spec import ModelSpec, Precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.prediction import PicturePrediction
    from mobileq.vision.arrays import ByteArray

ROOMS = ("detect", "classify", "tensors")
"""In the order in which they are asked. The last takes whatever no other reads."""

Outputs = Mapping[str, "NDArray[Any]"]
Answer = Any
"""What a model says about one picture, in the task's own type. Only the task looks into it."""
Level = Literal["shown", "all"]
"""What is read: at the thresholds for showing to people, or all that a score is made of."""
Figures = dict[str, int | float | dict[str, float]]
"""What was measured, by the field's names: {"map50_95": 0.41, "reference_count": 12}."""
Resampled = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""[resamples, pictures], how often each picture counts -> [resamples]: a figure of these."""
COUNT = "reference_count"
"""Among the figures of an agreement: how many of the reference's answers it rests on."""


@dataclass(frozen=True)
class Column:
    """One figure of validated files in a table; `of` the labels, or of the ONNX model's answers.
    `error` is the key of its standard error, where the task gives one."""

    title: str
    of: Literal["accuracy", "agreement"]
    key: str
    error: str | None = None


@dataclass(frozen=True)
class Measure:
    """How a task's answers are measured, and the words for it.

    Attributes:
        key: The one figure, 0 to 1, among those of `Task.score` and `Task.agreement`, by the name
            that reports give it, and
        name: by the one that people know.
        floors: How much a file's answers must agree with the ONNX model's in each precision: then
            the noise of its numbers is excused. Where answers may agree by chance none is.
        enough: Answers of the ONNX model that an agreement must rest on to say anything.
        decisive: With fewer, files are chosen by `Compared.error`: one answer more or less that is
            right would move the measure more than any choice does.
        unsure: Parts of the usual SQNR that a file must have where there are fewer.
        columns: Of `validate`'s table.
        error: What `Compared.error` is where it is the task's own, in words.
        answers: What a model gives.
        thing: What is counted, in the singular, and
        wanted: samples that have some.
        nothing: The ONNX model does this where it has no answer at all, and
        little: a file does where its answers hardly agree.
    """

    key: str
    name: str
    floors: Mapping[Precision, float]
    enough: int
    decisive: int
    unsure: float
    columns: tuple[Column, ...]
    error: str
    answers: str
    thing: str
    wanted: str
    nothing: str
    little: str

    def value(self, figures: Figures) -> float:
        """The one figure."""
        return figure(figures, self.key)

    @property
    def accuracy(self) -> tuple[str, ...]:
        """Which figures of labels a manifest repeats: those in the table."""
        return tuple(column.key for column in self.columns if column.of == "accuracy")


@dataclass(frozen=True)
class Scored:
    """What was measured of answers, and `Measure.key` of it for resampled pictures, in their
    order."""

    figures: Figures
    resampled: Resampled


@dataclass(frozen=True)
class Difference:
    """What two answers for one picture have not in common.

    Attributes:
        amount: 0 where nobody would see any; to say in which of a model's pictures it is most.
        told: What differs, the most first, in a few words each: `star 0.10 instead of 0.91`.
        values: By what is compared, the differences of all that both have: a few words, and
            numbers.
    """

    amount: float
    told: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """What one run of another model gave.

    Attributes:
        error: The task's own, smooth and dense; of tasks that have none `noise`.
        noise: Noise power over signal power, the mean of all outputs: 10^(-SQNR/10).
        answer: What it says, in model-input pixels where those matter; None where it was not asked
            for, or there is none.
    """

    error: float
    noise: float
    answer: Answer | None = None


class Reference(Protocol):
    """The float model's outputs of one sample, which others are held against."""

    @property
    def answer(self) -> Answer | None:
        """The float model's own, see `Compared`."""
        ...

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs. Those that are the reference's own arrays cost nothing."""
        ...

    def error(self, found: Outputs) -> float:
        """`Compared.error` alone, which may take a part of the time."""
        ...

    def slopes(self, random: np.random.Generator) -> Mapping[str, NDArray[np.float32]]:
        """By output, in its shape: a random vector g with E[(g . d)^2] = `Compared.error` of
        outputs that are off by d, to second order in d.

        The error is a sum of squares there. Each root is given a sign by chance, and g is the
        gradient of their sum (a random projection of the Gauss-Newton matrix, as in Hutchinson's
        estimator of a trace). 0 where the error has no gradient.
        """
        ...


class Truth(Protocol):
    """Labelled pictures."""

    @property
    def images(self) -> tuple[tuple[int, Path], ...]:
        """(key, file), sorted by key."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person."""
        ...

    @property
    def content(self) -> object:
        """All that the labels say, as plain data."""
        ...


@dataclass(frozen=True)
class Limits:
    """Which answers a person wants to see; None: as the task thinks best.

    Attributes:
        score: Lowest score or probability, 0 to 1.
        top: So many, the best.
    """

    score: float | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for what lies out of bounds."""
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise UsageError(f"No score is {self.score}.", "Give a number from 0 to 1.")
        if self.top is not None and self.top < 1:
            raise UsageError(f"The best {self.top} are none.", "Ask for at least one.")


class Predictor[P: PicturePrediction](Protocol):
    """Tells a person what a model says of pictures, one after the other. Its answers are of a type
    of its own.

    Attributes:
        draw: A copy of the picture (uint8 [H, W, 3], RGB) that shows the answer; None where answers
            are arrays by name and there is nothing to see.
    """

    @property
    def draw(self) -> Callable[[ByteArray, Answer], ByteArray] | None: ...

    def read(self, outputs: Outputs, sample: Sample) -> Answer:
        """The answer for the one picture that the sample is made of."""
        ...

    def told(self, answer: Answer, image: str, frame: int | None, drawn: str | None) -> P:
        """What is printed of it; see `PicturePrediction` for the other arguments."""
        ...


@runtime_checkable
class Task(Protocol):
    """What one model's outputs mean.

    Attributes:
        name: The room's.
        measure: None where nobody knows what the numbers mean: then they themselves are compared.
        error_of: What `Compared.error` is taken over: "outputs", or what the task makes of them.
        squashed: By output, the function that it goes through before anything else: where that is
            flat, integers may clip.
        sigmoids: Of these, the ones whose values go through a sigmoid one by one.
        roles: By output, what it holds; outputs of one role are one signal.
    """

    name: str
    measure: Measure | None
    error_of: str
    squashed: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]]
    sigmoids: tuple[str, ...]
    roles: Mapping[str, str]

    def read(self, outputs: Outputs, sample: Sample, level: Level) -> tuple[Answer, ...]:
        """One answer for each of the sample's pictures, or what stands for them in finished
        tensors; none where there is no `measure`."""
        ...

    def reference(self, outputs: Outputs, *, answers: bool = False) -> Reference:
        """To hold others against; with `answers` also what each says."""
        ...

    def row_scores(
        self, outputs: Outputs, axes: Mapping[str, int], count: int
    ) -> NDArray[Any] | None:
        """[count]: how much each ranked row counts; None where that is not known.

        Args:
            axes: By output with ranked rows, the axis that they are along.
        """
        ...

    def agreement(self, reference: Sequence[Answer], found: Sequence[Answer]) -> Scored:
        """How far answers are those of the reference, which nobody labelled: `measure.key`, `COUNT`
        and what else the task knows. Pictures in the same order, read at the same level."""
        ...

    def difference(self, wanted: Answer, found: Answer) -> Difference:
        """What is found otherwise in one picture; both read at level "all"."""
        ...

    def count(self, answer: Answer) -> int:
        """How much of the float model's answer others are held against."""
        ...

    def truth(self, annotations: Path, images: Path | None) -> Truth:
        """Labels and their pictures.

        Raises:
            UsageError: There is nothing at a path, or the task has no labels.
            InputError: They can't be used, or are of other classes than the model's.
        """
        ...

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[Answer]) -> Scored:
        """How right answers are, as the field measures it: `measure.key` and others.

        Args:
            truth: From `truth`.
            keys: Of its pictures, those that were answered, in the order of
            answers: read at level "all".
        """
        ...

    def predictor(self, limits: Limits) -> Predictor[PicturePrediction]:
        """To tell a person what is in pictures.

        Raises:
            UsageError: Answers have nothing that `limits` could be of.
        """
        ...

    def golden(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """Entries of golden.json: what every implementation must read at level "shown"."""
        ...


def task_of(spec: ModelSpec) -> Task:
    """The task of a model, by what is known of its outputs."""
    for _, room in parts("task"):
        found: Task | None = room.bound(spec)
        if found is not None:
            return found
    raise AssertionError("the last room takes any model")


def measure_of(name: str) -> Measure | None:
    """By the room's name."""
    measure: Measure | None = part(name, "task").MEASURE
    return measure


def parts(name: str) -> Iterator[tuple[str, Any]]:
    """(room, module) of the rooms that have such a part."""
    for room in ROOMS:
        if importlib.util.find_spec(f"mobileq.tasks.{room}.{name}") is not None:
            yield room, part(room, name)


def part(room: str, name: str) -> Any:
    """A module of a room."""
    return importlib.import_module(f"mobileq.tasks.{room}.{name}")


def figure(figures: Figures, key: str) -> float:
    """One number among them."""
    value = figures[key]
    assert not isinstance(value, dict)
    return value

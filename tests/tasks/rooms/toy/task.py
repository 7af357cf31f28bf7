"""A task as small as one can be: which of four numbers is the largest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mobileq.spec import ModelSpec, Spec
from mobileq.tasks.base import (
    COUNT,
    Answer,
    Column,
    Compared,
    Difference,
    Level,
    Limits,
    Measure,
    Outputs,
    Scored,
    Truth,
)
from mobileq.tasks.noise import NoiseReference
from mobileq.tasks.prediction import PicturePrediction

MEASURE = Measure(
    key="top1",
    name="top-1",
    floors=dict.fromkeys(("dynamic", "w8", "int16x8", "int8", "int8-full"), 0.5),
    enough=2,
    decisive=16,
    unsure=1.0,
    columns=(Column("top-1", "accuracy", "top1"), Column("alike", "agreement", "top1")),
    error="noise of the probabilities",
    answers="colours",
    thing="colour",
    wanted="colourful pictures",
    nothing="names no colour",
    little="names other colours than the ONNX model",
)


def bound(spec: ModelSpec) -> ToyTask | None:
    return ToyTask(spec) if [each.shape for each in spec.outputs] == [(1, 4)] else None


@dataclass(frozen=True)
class ToyTruth:
    colours: dict[str, int]
    images: tuple[tuple[int, Path], ...]
    notices: tuple[str, ...] = ()

    @property
    def content(self) -> object:
        return self.colours


class ToyReference:
    def __init__(self, task: ToyTask, outputs: Outputs, answers: bool) -> None:
        self._task, self._answers = task, answers
        self._shares = task.probabilities(outputs)
        self._noise = NoiseReference(self._shares)
        self.answer = task.best(outputs) if answers else None

    def compare(self, found: Outputs) -> Compared:
        noise = self._noise.noise(self._task.probabilities(found))
        return Compared(noise, noise, self._task.best(found) if self._answers else None)

    def error(self, found: Outputs) -> float:
        return self.compare(found).error

    def slopes(self, random: np.random.Generator) -> dict[str, Any]:
        found = {}
        for name, drawn in self._noise.slopes(random).items():
            pulled = drawn * self._shares[name]
            found[name] = pulled - self._shares[name] * pulled.sum(axis=-1, keepdims=True)
        return found


class Colour(Spec, frozen=True):
    number: int

    @property
    def cells(self) -> tuple[str, ...]:
        return (f"colour {self.number}",)


class PictureColour(PicturePrediction, frozen=True):
    columns: ClassVar[tuple[str, ...]] = ("colour",)
    colour: Colour

    @property
    def items(self) -> tuple[Colour, ...]:
        return (self.colour,)


class ToyPredictor:
    def __init__(self, task: ToyTask) -> None:
        self._task = task

    def read(self, outputs: Outputs, sample: Any) -> int:
        return self._task.best(outputs)

    def draw(self, image: Any, answer: int) -> Any:
        return np.full_like(image, 60 * answer)

    def told(self, answer: int, image: str, frame: int | None, drawn: str | None) -> PictureColour:
        return PictureColour(image=image, frame=frame, drawn=drawn, colour=Colour(answer))


class ToyTask:
    name = "toy"
    measure = MEASURE
    error_of = "probabilities"
    sigmoids: tuple[str, ...] = ()
    roles: Mapping[str, str] = {}

    def __init__(self, spec: ModelSpec) -> None:
        self._output = spec.outputs[0].name
        self.squashed = {self._output: softmax}

    def probabilities(self, outputs: Outputs) -> dict[str, Any]:
        return {self._output: softmax(outputs[self._output])}

    def best(self, outputs: Outputs) -> int:
        return int(outputs[self._output][0].argmax())

    def read(self, outputs: Outputs, sample: Any, level: Level) -> tuple[int, ...]:
        return (self.best(outputs),) if sample.pictures else ()

    def reference(self, outputs: Outputs, *, answers: bool = False) -> ToyReference:
        return ToyReference(self, outputs, answers)

    def row_scores(self, outputs: Outputs, axes: Mapping[str, int], count: int) -> None:
        return None

    def agreement(self, reference: Sequence[Answer], found: Sequence[Answer]) -> Scored:
        return _scored(np.equal(reference, found), **{COUNT: len(reference)})

    def difference(self, wanted: Answer, found: Answer) -> Difference:
        told = () if wanted == found else (f"colour {found} instead of {wanted}",)
        return Difference(float(len(told)), told)

    def count(self, answer: Answer) -> int:
        return 1

    def truth(self, annotations: Path, images: Path | None) -> ToyTruth:
        colours = json.loads(annotations.read_text())
        assert images is not None
        return ToyTruth(colours, tuple(enumerate(images / name for name in sorted(colours))))

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[Answer]) -> Scored:
        return _scored(self._hits(truth, keys, answers))

    def _hits(self, truth: Truth, keys: Sequence[int], answers: Sequence[Answer]) -> Any:
        assert isinstance(truth, ToyTruth)
        names = dict(truth.images)
        return np.equal([truth.colours[names[key].name] for key in keys], answers)

    def predictor(self, limits: Limits) -> ToyPredictor:
        return ToyPredictor(self)

    def golden(self, answers: Sequence[Answer]) -> dict[str, Any]:
        return {"colours": list(answers)}


def _scored(hits: Any, **others: int) -> Scored:
    return Scored(
        {"top1": float(hits.mean()), **others},
        lambda weights: weights @ hits / weights.sum(axis=1),
    )


def softmax(values: Any) -> Any:
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)

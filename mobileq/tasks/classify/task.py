"""Classes of whole pictures, compared and scored by the best one of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.spec import ModelSpec
from mobileq.spec.classes import ClassesSpec
from mobileq.tasks.base import Column, Figures, Level, Limits, Measure, Outputs, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.classify.classes import TopClasses
    from mobileq.tasks.classify.labels import ClassTruth
    from mobileq.tasks.classify.predict import ClassifyPredictor
    from mobileq.tasks.classify.reference import ClassifyReference

MEASURE = Measure(
    key="top1",
    name="top-1",
    # None: of two classes the best may be the same by chance, or because all pictures are of one.
    floors={},
    enough=5,
    unsure=1.0,
    columns=(
        Column("top-1", "accuracy", "top1", "top1_se"),
        Column("top-5", "accuracy", "top5", "top5_se"),
        Column("agreement", "agreement", "top1", "top1_se"),
        Column("distance", "agreement", "distance"),
    ),
    error="Hellinger distance of the probabilities, 0 to 1",
    answers="classes",
    thing="answer",
    wanted="more pictures of its classes",
    nothing="names no class",
    little="names other classes than the ONNX model",
)


def bound(spec: ModelSpec) -> ClassifyTask | None:
    """Where it is known what the values are."""
    return None if spec.classes is None else ClassifyTask(spec, spec.classes)


class ClassifyTask:
    """See `mobileq.tasks.base.Task`."""

    name = "classify"
    measure: Measure | None = MEASURE
    error_of = "probabilities"
    # The noise of logits is told as it is: of probabilities there may be nothing left to compare,
    # where a model is of a thousand minds about a drawn picture.
    squashed: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {}
    sigmoids: tuple[str, ...] = ()
    roles: Mapping[str, str] = {}

    def __init__(self, spec: ModelSpec, classes: ClassesSpec) -> None:
        self._spec, self._classes, self._output = spec, classes, spec.outputs[0].name

    def read(self, outputs: Outputs, sample: Sample, level: Level) -> tuple[TopClasses, ...]:
        """The same at both levels; how many of them are shown is up to who shows them."""
        from mobileq.tasks.classify.classes import rows_of, top_classes

        rows = rows_of(self._classes, outputs[self._output])
        return top_classes(self._classes, rows[: len(sample.pictures) or None])

    def reference(self, outputs: Outputs, *, answers: bool = False) -> ClassifyReference:
        """Compares probabilities."""
        from mobileq.tasks.classify.reference import ClassifyReference

        return ClassifyReference(self._output, self._classes, outputs, answers)

    def row_scores(self, outputs: Outputs, axes: Mapping[str, int], count: int) -> None:
        """No rows are ranked."""

    def agreement(self, reference: Sequence[TopClasses], found: Sequence[TopClasses]) -> Figures:
        """Share of the pictures whose best class is the reference's."""
        from mobileq.tasks.classify.scores import agreement

        return agreement(reference, found)

    def count(self, answer: TopClasses) -> int:
        """The picture, unless no value is a number."""
        return int(len(answer) > 0)

    def truth(self, annotations: Path, images: Path | None) -> ClassTruth:
        """Folders by class, a CSV of files and labels, or a data.yaml."""
        from mobileq.tasks.classify.labels import read_truth

        return read_truth(annotations, images, self._spec.labels)

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[TopClasses]) -> Figures:
        """Top-1 and top-5, with their standard errors."""
        from mobileq.tasks.classify.labels import ClassTruth
        from mobileq.tasks.classify.scores import accuracy

        assert isinstance(truth, ClassTruth)
        return accuracy([truth.class_ids[key] for key in keys], answers)

    def predictor(self, limits: Limits) -> ClassifyPredictor:
        """Tells classes."""
        from mobileq.tasks.classify.predict import ClassifyPredictor

        return ClassifyPredictor(self, self._spec.labels, limits)

    def golden(self, answers: Sequence[TopClasses]) -> dict[str, Any]:
        """The best classes of each picture."""
        from mobileq.tasks.classify.classes import SHOWN

        return {
            "classes": [
                [
                    {"class_id": int(class_id), "score": float(probability)}
                    for class_id, probability in zip(
                        answer.class_id[:SHOWN], answer.probability[:SHOWN], strict=True
                    )
                ]
                for answer in answers
            ]
        }

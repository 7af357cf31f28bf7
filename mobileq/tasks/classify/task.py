"""Classes of whole pictures, compared and scored by the best one of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.spec import ModelSpec
from mobileq.spec.classes import ClassesSpec, heads_of
from mobileq.tasks.base import Column, Difference, Level, Limits, Measure, Outputs, Scored, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.classify.classes import Answer
    from mobileq.tasks.classify.labels import ClassTruth
    from mobileq.tasks.classify.predict import ClassifyPredictor
    from mobileq.tasks.classify.reference import ClassifyReference

MEASURE = Measure(
    key="top1",
    name="top-1",
    # None: of two classes the best may be the same by chance, or because all pictures are of one.
    floors={},
    enough=5,
    # Where 97 of 100 agree, the standard error on 24 pictures is .035; on 1000 it is .005.
    decisive=1000,
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
        self._spec, self._heads = spec, heads_of(classes, spec.outputs)
        self._names = tuple(head.name for head in self._heads)

    def read(self, outputs: Outputs, sample: Sample, level: Level) -> tuple[Answer, ...]:
        """The same at both levels; how many of them are shown is up to who shows them."""
        from mobileq.tasks.classify.classes import answers_of

        return answers_of(self._heads, outputs, len(sample.pictures) or None)

    def reference(self, outputs: Outputs, *, answers: bool = False) -> ClassifyReference:
        """Compares probabilities."""
        from mobileq.tasks.classify.reference import ClassifyReference

        return ClassifyReference(self._heads, outputs, answers)

    def row_scores(self, outputs: Outputs, axes: Mapping[str, int], count: int) -> None:
        """No rows are ranked."""

    def agreement(self, reference: Sequence[Answer], found: Sequence[Answer]) -> Scored:
        """Share of the answers whose best class is the reference's."""
        from mobileq.tasks.classify.scores import agreement

        return agreement(reference, found, self._names)

    def difference(self, wanted: Answer, found: Answer) -> Difference:
        """Its best class, or how probable that is."""
        from mobileq.tasks.classify.scores import difference

        return difference(wanted, found, self._spec.labels)

    def count(self, answer: Answer) -> int:
        """The heads, but those of which no value is a number."""
        return sum(len(best) > 0 for best in answer)

    def truth(self, annotations: Path, images: Path | None) -> ClassTruth:
        """Folders by class, a CSV of files and labels, or a data.yaml."""
        from mobileq.tasks.classify.labels import read_truth

        names = iter(self._spec.labels)
        by_head = [[*islice(names, head.class_count)] for head in self._heads]
        return read_truth(annotations, images, by_head)

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[Answer]) -> Scored:
        """Top-1 and top-5, with their standard errors."""
        from mobileq.tasks.classify.labels import ClassTruth
        from mobileq.tasks.classify.scores import accuracy

        assert isinstance(truth, ClassTruth)
        return accuracy([truth.class_ids[key] for key in keys], answers, self._names)

    def predictor(self, limits: Limits) -> ClassifyPredictor:
        """Tells classes."""
        from mobileq.tasks.classify.predict import ClassifyPredictor

        return ClassifyPredictor(self, self._spec.labels, self._names, limits)

    def golden(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The best classes of each picture, head by head."""
        from mobileq.tasks.classify.classes import SHOWN

        return {
            "classes": [
                [
                    {"class_id": int(class_id), "score": float(probability)}
                    for best in answer
                    for class_id, probability in best.within(SHOWN)
                ]
                for answer in answers
            ]
        }

"""How far a model's probabilities are from the float model's, as one smooth number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mobileq.spec.classes import ClassesSpec
from mobileq.tasks.base import Compared, Outputs
from mobileq.tasks.classify.classes import TopClasses, probabilities, rows_of, top_classes
from mobileq.tasks.noise import NoiseReference

_SURE = 1e-3
"""Pictures that the float model is sure of say little: there the noise of all values breaks ties,
and elsewhere it is too small to matter."""


class ClassifyReference:
    """The float model's outputs of one sample, which others are held against.

    The error is the squared Hellinger distance, half the sum of (sqrt(p) - sqrt(q))^2. To second
    order it is an eighth of the variance, under p, of what the logits are off: an offset of all of
    them costs nothing, as it changes no answer, and each class counts as much as the model takes
    it for possible. Unlike the divergences of Kullback and Leibler it is finite where integers
    round a probability to 0, and its root is a distance between 0 and 1.
    """

    def __init__(self, name: str, spec: ClassesSpec, outputs: Outputs, answers: bool) -> None:
        self._name, self._spec, self._answers = name, spec, answers
        self._noise = NoiseReference(outputs)
        rows = rows_of(spec, outputs[name])
        self._roots = self._rooted(rows)
        self.answer: TopClasses | None = top_classes(spec, rows[:1])[0] if answers else None

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs; of a batch, the first picture's answer stands for all."""
        noise = self._noise.noise(found)
        rows = rows_of(self._spec, found[self._name])
        apart = np.square(self._rooted(rows) - self._roots).sum(axis=1) / 2.0
        # What is no number is as far away as can be, and infinity must not outweigh all others.
        distance = np.clip(np.nan_to_num(apart, nan=1.0), 0.0, 1.0).mean()
        answer = top_classes(self._spec, rows[:1])[0] if self._answers else None
        return Compared(float(distance) + _SURE * noise, noise, answer)

    def _rooted(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        # Integers that stand for probabilities may have a zero point that is not exact.
        roots: NDArray[np.float64] = np.sqrt(np.maximum(probabilities(self._spec, rows), 0.0))
        return roots

"""How far a model's probabilities are from the float model's, as one smooth number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobileq.spec.classes import ClassHead
from mobileq.tasks.base import Compared, Outputs
from mobileq.tasks.classify.classes import Answer, answers_of, probabilities, rows_of
from mobileq.tasks.noise import NoiseReference, rademacher

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
    Of several heads it is the mean.
    """

    def __init__(self, heads: Sequence[ClassHead], outputs: Outputs, answers: bool) -> None:
        self._heads, self._answers, self._outputs = heads, answers, outputs
        self._noise = NoiseReference(outputs)
        self._roots = [_rooted(head, outputs) for head in heads]
        self.answer: Answer | None = answers_of(heads, outputs, 1)[0] if answers else None

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs; of a batch, the first picture's answer stands for all."""
        noise = self._noise.noise(found)
        distances = [
            _distance(_rooted(head, found), roots)
            for head, roots in zip(self._heads, self._roots, strict=True)
        ]
        distance = sum(distances) / len(distances)
        answer = answers_of(self._heads, found, 1)[0] if self._answers else None
        return Compared(distance + _SURE * noise, noise, answer)

    def error(self, found: Outputs) -> float:
        """See `Reference.error`; it has no part that is left out."""
        return self.compare(found).error

    def slopes(self, random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """See `Reference.slopes`."""
        noise = self._noise.slopes(random)
        found = {name: values * np.float32(math.sqrt(_SURE)) for name, values in noise.items()}
        for head, roots in zip(self._heads, self._roots, strict=True):
            rows = rows_of(head, self._outputs[head.output])
            gradient = _root_slopes(head, rows, roots, random) / math.sqrt(len(self._heads))
            found[head.output] += gradient.reshape(found[head.output].shape).astype(np.float32)
        return found


def _rooted(head: ClassHead, outputs: Outputs) -> NDArray[np.float64]:
    shares = probabilities(head, rows_of(head, outputs[head.output]))
    # Integers that stand for probabilities may have a zero point that is not exact.
    roots: NDArray[np.float64] = np.sqrt(np.maximum(shares, 0.0))
    return roots


def _root_slopes(
    head: ClassHead,
    rows: NDArray[np.float32],
    roots: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """[pictures, classes]: of `_distance`, through what made probabilities of the rows."""
    signs = rademacher(random, roots.shape) / math.sqrt(2 * len(roots))
    known = np.isfinite(roots).all(axis=1, keepdims=True) & np.isfinite(rows)
    if head.values == "probabilities":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(known & (roots > 0.0), signs / (2.0 * roots), 0.0)
    shares = np.square(roots)
    pulled = signs * roots / 2.0
    return np.where(known, pulled - shares * pulled.sum(axis=1, keepdims=True), 0.0)


def _distance(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    apart = np.square(found - wanted).sum(axis=1) / 2.0
    # What is no number is as far away as can be, and infinity must not outweigh all others.
    return float(np.clip(np.nan_to_num(apart, nan=1.0), 0.0, 1.0).mean())

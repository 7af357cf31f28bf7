"""How right the answers of classifiers are, and how far two of them agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobileq.tasks.base import COUNT, Difference, Figures, Scored, figure
from mobileq.tasks.classify.classes import Answer, TopClasses

SEEN = 0.05
"""Probability that has to move for a picture to count as answered otherwise."""
Wanted = Sequence[int | None]
"""The class that each head should give; None where nobody says."""
Hits = Sequence[Sequence[bool | None]]
"""By picture and head; None where there is nothing to be right about."""


def accuracy(wanted: Sequence[Wanted], found: Sequence[Answer], heads: Sequence[str]) -> Scored:
    """Top-1 and top-5: shares of answers whose class is the best, or among the best five.

    Args:
        wanted: Of each picture.
        found: What was answered.
        heads: Their names; of several `top1_by_head` tells each.
    """
    best, five = (_among(wanted, found, count) for count in (1, 5))
    figures = {**_share("top1", best), **_share("top5", five), **_by_head(best, heads)}
    return Scored(figures, _Resampled(best))


def agreement(reference: Sequence[Answer], found: Sequence[Answer], heads: Sequence[str]) -> Scored:
    """Share of the reference's answers whose best class is the other's too.

    `distance` is the mean total variation, half the sum of what probabilities differ by: 0 where
    they are the same, 1 where no class is in both. Of several heads `top1_by_head` tells each.
    """
    same: list[list[bool | None]] = []
    distances: list[float] = []
    for answers in zip(reference, found, strict=True):
        pairs = list(zip(*answers, strict=True))
        same.append([wanted.best == other.best if len(wanted) else None for wanted, other in pairs])
        distances += [_total_variation(*pair) for pair in pairs if len(pair[0])]
    figures = {
        COUNT: len(distances),
        **_share("top1", same),
        "distance": sum(distances) / len(distances) if distances else 0.0,
        **_by_head(same, heads),
    }
    return Scored(figures, _Resampled(same))


def difference(wanted: Answer, found: Answer, labels: Sequence[str]) -> Difference:
    """Of one picture: total variation, summed over the heads, and the best class of each."""
    parts = []
    for before, now in zip(wanted, found, strict=True):
        amount = _total_variation(before, now)
        if before.best != now.best:
            parts.append((amount, f"{_told(now, labels)} instead of {_told(before, labels)}"))
        elif amount >= SEEN:
            parts.append((amount, f"{_told(now, labels)} instead of {before.probability[0]:.2f}"))
    parts.sort(reverse=True)
    shares = [
        _share_of(now, before.best) - float(before.probability[0])
        for before, now in zip(wanted, found, strict=True)
        if len(before)
    ]
    return Difference(
        sum(amount for amount, _ in parts),
        tuple(words for _, words in parts),
        {"probability of the ONNX model's best class": tuple(shares)},
    )


def _share_of(answer: TopClasses, class_id: int) -> float:
    """How probable a class is; 0 where it is not among those that are kept."""
    return float(answer.probability[answer.class_id == class_id].sum())


def _told(answer: TopClasses, labels: Sequence[str]) -> str:
    if not len(answer):
        return "no class"
    name = labels[answer.best] if answer.best < len(labels) else f"class {answer.best}"
    return f"{name} {answer.probability[0]:.2f}"


def _among(wanted: Sequence[Wanted], found: Sequence[Answer], count: int) -> Hits:
    return [
        [
            None if class_id is None else bool(class_id in best.class_id[:count])
            for class_id, best in zip(class_ids, answer, strict=True)
        ]
        for class_ids, answer in zip(wanted, found, strict=True)
    ]


def _share(key: str, hits: Hits) -> Figures:
    """Of all answers, with its standard error; 0 of nothing.

    Pictures are what was drawn, and the heads of one may well be right together: the error is of
    their residuals, which for one head is sqrt(p (1 - p) / n).
    """
    counted = [[each for each in picture if each is not None] for picture in hits]
    answers = max(1, sum(map(len, counted)))
    share = sum(map(sum, counted)) / answers
    residuals = (sum(picture) - share * len(picture) for picture in counted)
    error = math.sqrt(sum(residual * residual for residual in residuals)) / answers
    return {key: share, f"{key}_se": error}


class _Resampled:
    """Share of all answers of resampled pictures, see `mobileq.tasks.base.Resampled`; 0 of none."""

    def __init__(self, hits: Hits) -> None:
        counted = [[each for each in picture if each is not None] for picture in hits]
        self._right = np.array([sum(picture) for picture in counted], np.float64)
        self._answers = np.array([len(picture) for picture in counted], np.float64)

    def __call__(self, weights: NDArray[Any]) -> NDArray[Any]:
        shares: NDArray[Any] = weights @ self._right / np.maximum(weights @ self._answers, 1.0)
        return shares


def _by_head(hits: Hits, heads: Sequence[str]) -> Figures:
    if len(heads) < 2:
        return {}
    shares = [
        figure(_share("top1", [picture[at : at + 1] for picture in hits]), "top1")
        for at in range(len(heads))
    ]
    return {"top1_by_head": dict(zip(heads, shares, strict=True))}


def _total_variation(wanted: TopClasses, found: TopClasses) -> float:
    """Over the classes that are kept of either."""
    both = np.concatenate([wanted.class_id, found.class_id])
    signed = np.concatenate([wanted.probability, -found.probability]).astype(np.float64)
    places = np.unique(both, return_inverse=True)[1]
    differences = np.bincount(places, weights=signed)
    return float(np.abs(differences).sum() / 2.0)

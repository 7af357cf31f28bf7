"""How right the answers of classifiers are, and how far two of them agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mobileq.tasks.base import COUNT, Figures
from mobileq.tasks.classify.classes import TopClasses


def accuracy(wanted: Sequence[int], found: Sequence[TopClasses]) -> Figures:
    """Top-1 and top-5: shares of pictures whose class is the best, or among the best five.

    Args:
        wanted: Class of each picture.
        found: What was answered.
    """
    pairs = list(zip(wanted, found, strict=True))
    return {
        **_share("top1", [class_id == answer.best for class_id, answer in pairs]),
        **_share("top5", [class_id in answer.class_id[:5] for class_id, answer in pairs]),
    }


def agreement(reference: Sequence[TopClasses], found: Sequence[TopClasses]) -> Figures:
    """Share of the reference's answers whose best class is the other's too.

    `distance` is the mean total variation, half the sum of what probabilities differ by: 0 where
    they are the same, 1 where no class is in both.
    """
    pairs = [pair for pair in zip(reference, found, strict=True) if len(pair[0])]
    distances = [_total_variation(*pair) for pair in pairs]
    return {
        COUNT: len(pairs),
        **_share("top1", [wanted.best == other.best for wanted, other in pairs]),
        "distance": sum(distances) / len(distances) if distances else 0.0,
    }


def _share(key: str, hits: Sequence[bool]) -> Figures:
    """With its standard error, sqrt(p (1 - p) / n); 0 of nothing."""
    count = max(1, len(hits))
    share = sum(hits) / count
    return {key: share, f"{key}_se": math.sqrt(share * (1.0 - share) / count)}


def _total_variation(wanted: TopClasses, found: TopClasses) -> float:
    """Over the classes that are kept of either."""
    both = np.concatenate([wanted.class_id, found.class_id])
    signed = np.concatenate([wanted.probability, -found.probability]).astype(np.float64)
    places = np.unique(both, return_inverse=True)[1]
    differences = np.bincount(places, weights=signed)
    return float(np.abs(differences).sum() / 2.0)

"""The answer of a classifier: its best classes and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.tasks.base import Outputs

SHOWN = 5
"""So many classes are told to people, in golden.json and in the app."""
KEPT = 100
"""So many are kept of each picture: 50,000 pictures with all of ImageNet's classes were 200 MB."""


type Classed = ClassesSpec | ClassHead
"""What says how many values a row has and what they are."""


@dataclass(frozen=True, eq=False)
class TopClasses:
    """The best classes of one head for one picture, the best first, equal ones in the order of
    classes.

    `class_id` is int32 [n], `probability` float32 [n], n up to `KEPT`: fewer where the model has
    fewer, or gives what is no number.
    """

    class_id: NDArray[np.int32]
    probability: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.class_id)

    @property
    def best(self) -> int:
        """The best class; -1 where there is none."""
        return int(self.class_id[0]) if len(self) else -1

    def within(self, count: int, lowest: float = 0.0) -> list[tuple[np.int32, np.float32]]:
        """(class, probability) of the first so many that are at least so probable."""
        pairs = zip(self.class_id, self.probability, strict=True)
        return [pair for pair in pairs if pair[1] >= np.float32(lowest)][:count]


def rows_of(spec: Classed, values: NDArray[Any]) -> NDArray[np.float32]:
    """[pictures, classes] of the output, in whatever shape it has these."""
    return np.asarray(values, np.float32).reshape(-1, spec.class_count)


def probabilities(spec: Classed, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """[pictures, classes]; NaN stays NaN and leaves the others their share.

    `mobileq.core.classify.TopClasses` does the same in Java: in double precision, the highest one's
    weight 1 even where it is infinite.
    """
    values = rows.astype(np.float64)
    if spec.values == "probabilities":
        return values
    known = ~np.isnan(values)
    highest = np.max(values, axis=1, keepdims=True, initial=-np.inf, where=known)
    with np.errstate(invalid="ignore"):  # infinity less infinity: those are the highest
        weights = np.where(values == highest, 1.0, np.exp(values - highest))
    total = np.sum(weights, axis=1, keepdims=True, where=known)
    shares: NDArray[np.float64] = weights / np.where(total > 0.0, total, np.nan)
    return shares


def top_classes(spec: Classed, rows: NDArray[np.float32], first: int = 0) -> tuple[TopClasses, ...]:
    """Of each picture.

    Ranked by what the model gives: two logits far below the best have no probability in float64,
    and still an order.

    Args:
        first: Number of the first class.
    """
    found = []
    for row, shares in zip(rows, probabilities(spec, rows), strict=True):
        order = np.argsort(-row, kind="stable")[:KEPT]  # NaN comes last
        order = order[~np.isnan(row[order])]
        class_id = (order + first).astype(np.int32)
        found.append(TopClasses(class_id, shares[order].astype(np.float32)))
    return tuple(found)


Answer = tuple[TopClasses, ...]
"""What a model says about one picture: one of each head."""


def answers_of(
    heads: Sequence[ClassHead], outputs: Outputs, count: int | None
) -> tuple[Answer, ...]:
    """Of the first `count` pictures, or of all."""
    found, first = [], 0
    for head in heads:
        rows = rows_of(head, outputs[head.output])
        found.append(top_classes(head, rows[:count], first))
        first += head.class_count
    return tuple(zip(*found, strict=True))

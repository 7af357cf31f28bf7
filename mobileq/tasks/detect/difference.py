"""What two models find otherwise in one picture, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mobileq.tasks.base import Difference
from mobileq.tasks.detect.agreement import match
from mobileq.tasks.detect.detections import Detections

SEEN = 0.05
"""A score or an overlap that differs by less is not told: nobody would see it."""


def difference(
    wanted: Detections, found: Detections, labels: Sequence[str], shown: float
) -> Difference:
    """Objects that one of the two shows, each beside the other's box of its class.

    Args:
        wanted, found: Read at level "all", so that a score just below the threshold is no loss.
        shown: Lowest score that is shown.
    """
    pairs = match(wanted, found)
    parts = [part for part in _parts(wanted, found, pairs, labels, shown) if part[0] >= SEEN]
    parts.sort(reverse=True)
    scores = [(float(wanted.score[a]), float(found.score[b]), overlap) for a, b, overlap in pairs]
    seen = [each for each in scores if max(each[:2]) >= shown]
    return Difference(
        sum(amount for amount, _ in parts),
        tuple(words for _, words in parts),
        {
            "score of an object": tuple(now - before for before, now, _ in seen),
            "box of an object, 1 - IoU": tuple(1.0 - overlap for *_, overlap in seen),
        },
    )


def _parts(
    wanted: Detections,
    found: Detections,
    pairs: Sequence[tuple[int, int, float]],
    labels: Sequence[str],
    shown: float,
) -> Iterator[tuple[float, str]]:
    def label(detections: Detections, at: int) -> str:
        class_id = int(detections.class_id[at])
        return labels[class_id] if class_id < len(labels) else f"class {class_id}"

    for left, right, overlap in pairs:
        before, now = float(wanted.score[left]), float(found.score[right])
        if max(before, now) < shown:
            continue
        if abs(now - before) >= 1.0 - overlap:
            yield abs(now - before), f"{label(wanted, left)} {now:.2f} instead of {before:.2f}"
        else:
            yield 1.0 - overlap, f"{label(wanted, left)} {now:.2f} in a box of IoU {overlap:.2f}"
    for at in _alone(wanted, {left for left, _, _ in pairs}, shown):
        yield float(wanted.score[at]), f"{label(wanted, at)} {wanted.score[at]:.2f} missing"
    for at in _alone(found, {right for _, right, _ in pairs}, shown):
        yield float(found.score[at]), f"{label(found, at)} {found.score[at]:.2f} new"


def _alone(detections: Detections, paired: set[int], shown: float) -> list[int]:
    scores = enumerate(detections.score.tolist())
    return [at for at, score in scores if score >= shown and at not in paired]

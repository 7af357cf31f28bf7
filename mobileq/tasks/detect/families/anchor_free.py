"""Tells apart the heads with one anchor per cell: YOLOX, YOLOv8 and NanoDet.

Their outputs have the same length, and the number of channels alone cannot say whether 85 is
5 + 80 or 4 + 81. In order of weight: what the graph concatenates, what names give, the orientation
and channel counts that the usual exports have.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mobileq.tasks.detect.families.cells import Predictions
from mobileq.tasks.detect.families.facts import Facts

AnchorFree = Literal["yolox", "yolov8", "nanodet"]

_COCO_CHANNELS: dict[int, AnchorFree] = {85: "yolox", 84: "yolov8", 112: "nanodet"}


class Verdict(NamedTuple):
    """Which family the head is of, and how that was found."""

    family: AnchorFree
    because: str
    certain: bool


def tell_apart(facts: Facts, found: Predictions) -> Verdict:
    """The family of an output with one row per cell."""
    return _by_graph(facts, found) or _by_names(facts, found) or _by_habit(found)


def _by_graph(facts: Facts, found: Predictions) -> Verdict | None:
    about = facts.about(found.output)
    if about is None:
        return None
    if about.softmax_bins:
        return Verdict("yolov8", "its boxes come from a softmax over distances", True)
    if "Exp" in about.ops:
        return Verdict("yolox", "its boxes go through exp", True)
    pieces = about.pieces.get(found.channels, ())
    channels = [piece.channels for piece in pieces]
    if channels[:2] == [4, 1] and len(channels) == 3:
        return Verdict("yolox", "it is a box, an objectness and classes", True)
    if len(channels) == 2 and channels[0] == 4 and pieces[1].activated:
        return Verdict("yolov8", "it is a box and classes", True)
    if len(channels) == 2 and pieces[0].activated and pieces[1].untouched and channels[1] % 4 == 0:
        return Verdict("nanodet", "it is classes and raw distances", True)
    return None


def _by_names(facts: Facts, found: Predictions) -> Verdict | None:
    if facts.names is None:
        return None
    spare = found.channels - len(facts.names)
    because = f"{len(facts.names)} named classes leave {spare} values"
    if spare == 5:
        return Verdict("yolox", because, True)
    if spare == 4:
        return Verdict("yolov8", because, True)
    if spare >= 8 and spare % 4 == 0 and not found.channels_first:
        return Verdict("nanodet", because, True)
    return None


def _by_habit(found: Predictions) -> Verdict:
    usual = _COCO_CHANNELS.get(found.channels)
    if usual is not None:
        return Verdict(usual, f"{found.channels} values are usual for it", False)
    if found.channels_first:
        return Verdict("yolov8", "its channels come before the anchors", False)
    return Verdict("yolox", "its channels come after the anchors", False)


def uncertain_notice(verdict: Verdict, facts: Facts) -> tuple[str, ...]:
    """A notice where only habit spoke for the family."""
    if verdict.certain or facts.forced:
        return ()
    return (
        f"The head is taken for {verdict.family} because {verdict.because}; if detections are"
        " wrong, name the family with --family.",
    )

from __future__ import annotations

import dataclasses

import pytest

from mobileq.spec import TensorSpec
from mobileq.tasks.detect.families.cells import STRIDES, cell_counts, find_predictions, strides_of
from mobileq.tasks.detect.families.facts import Facts
from mobileq.tasks.recognition import Picture


def facts(width: int, height: int, *shapes: tuple[int, ...]) -> Facts:
    return Facts(
        picture=Picture(width=width, height=height, layout="NCHW", dtype="float32"),
        outputs=tuple(
            TensorSpec(name=f"o{i}", shape=shape, dtype="float32") for i, shape in enumerate(shapes)
        ),
    )


def test_a_partial_cell_counts() -> None:
    assert cell_counts(416, 416, (8, 16, 32, 64)) == (2704, 676, 169, 49)


@pytest.mark.parametrize(
    ("width", "height", "count", "per_cell", "strides"),
    [
        (640, 640, 25200, 3, (8, 16, 32)),
        (640, 640, 8400, 1, (8, 16, 32)),
        (416, 416, 3549, 1, (8, 16, 32)),
        (416, 416, 3598, 1, (8, 16, 32, 64)),
        (1280, 1280, 102000, 3, (8, 16, 32, 64)),
        (416, 416, 2535, 3, (16, 32)),
        (640, 384, 5040, 1, (8, 16, 32)),
        (640, 640, 8401, 1, None),
        (640, 640, 34000, 1, (4, 8, 16, 32)),
    ],
)
def test_strides_are_told_by_the_number_of_anchors(
    width: int, height: int, count: int, per_cell: int, strides: tuple[int, ...] | None
) -> None:
    assert strides_of(facts(width, height), count, per_cell) == strides


def test_stride_sets_never_make_the_same_count() -> None:
    for side in range(64, 1281, 32):
        counts = [sum(cell_counts(side, side, strides)) for strides in STRIDES]
        assert len(set(counts)) == len(counts)


def test_both_axis_orders_are_found() -> None:
    first = find_predictions(facts(640, 640, (1, 84, 8400)))
    last = find_predictions(facts(640, 640, (1, 8400, 84)))
    assert not isinstance(first, str)
    assert not isinstance(last, str)
    assert (first.channels, first.anchors, first.channels_first) == (84, 8400, True)
    assert (last.channels, last.anchors, last.channels_first) == (84, 8400, False)


def test_no_fitting_axis_says_what_was_expected() -> None:
    reason = find_predictions(facts(640, 480, (1, 100, 84)))
    assert reason == "no axis of [1, 100, 84] is 6300 long, the anchors of a 640x480 picture"
    assert find_predictions(facts(640, 640, (1, 84))) == "no output is [1, 8400, values]"


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ((1, 8400, 4), "its output 'o0' has 80 values a row and 'o1' 4 more: boxes and scores"),
        ((1, 8400, 1, 4), "'o1' 4 more"),
        ((1, 8400, 68), "'o1' 68 more"),
        ((1, 8400), "'o1' 1 more"),
    ],
)
def test_rows_in_two_outputs_are_not_read_as_one(beside: tuple[int, ...], reason: str) -> None:
    """YOLO-NAS, DAMO-YOLO and PP-YOLOE: scores alone looked like a YOLOX of five classes fewer."""
    split = facts(640, 640, (1, 8400, 80), beside)
    assert reason in str(find_predictions(split))
    forced = find_predictions(dataclasses.replace(split, forced=True))
    assert isinstance(forced, str) == (4 in beside)


@pytest.mark.parametrize("beside", [(1, 84, 8400), (1, 32, 160, 160), (1, 84, 80, 80)])
def test_other_outputs_leave_rows_whole(beside: tuple[int, ...]) -> None:
    found = find_predictions(facts(640, 640, (1, 84, 8400), beside))
    assert not isinstance(found, str)
    assert found.output.name == "o0"

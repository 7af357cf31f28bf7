from __future__ import annotations

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

"""Which files a chart marks, and where names stand."""

from __future__ import annotations

import itertools

import pytest

from mobileq.reporting.charts import SIZE, TIME, Axis, Point, front, on_phone, tradeoff
from mobileq.reporting.vega import PAGE

LOST = Axis("lost", lambda point: point.lost)


def _point(name: str, size_mb: float, lost: float | None, ms: float | None = None) -> Point:
    return Point(name=name, told=name, group="tflite", size_mb=size_mb, lost=lost, ms=ms)


def _rows(points: list[Point], x: Axis = SIZE) -> dict[str, dict[str, object]]:
    chart = tradeoff(points, x, LOST, PAGE)
    assert chart is not None
    return {row["name"]: row for row in chart["data"]["values"]}


def test_the_front_is_what_no_other_file_beats_in_both() -> None:
    files = [_point("a", 8, 0.0), _point("b", 4, 0.01), _point("c", 5, 0.02), _point("d", 2, 0.3)]
    assert [each.name for each in front(files, SIZE, LOST)] == ["d", "b", "a"]
    same = [_point("a", 2, 0.1), _point("b", 2, 0.1)]
    assert [each.name for each in front(same, SIZE, LOST)] == ["a"]


def test_a_file_without_a_figure_is_not_in_the_chart_and_one_alone_makes_none() -> None:
    files = [_point("a", 8, 0.0, 3.0), _point("b", 4, None, 2.0), _point("c", 2, 0.1)]
    assert set(_rows(files)) == {"a", "c"}
    assert tradeoff(files, TIME, LOST, PAGE) is None
    assert tradeoff(files, on_phone("Example"), LOST, PAGE) is None


@pytest.mark.parametrize("x", [SIZE, TIME])
def test_names_do_not_stand_on_each_other(x: Axis) -> None:
    files = [_point(str(at), 4 + at * 0.01, 0.001 * (at % 2), 9 + at) for at in range(6)]
    chart = tradeoff(files, x, LOST, PAGE)
    assert chart is not None
    low, high = chart["layer"][1]["encoding"]["y"]["scale"]["domain"]
    heights = [row["label"] / (high - low) * chart["height"] for row in chart["data"]["values"]]
    assert min(abs(a - b) for a, b in itertools.combinations(heights, 2)) >= 14.9


def test_times_that_differ_many_times_are_on_a_scale_of_multiples() -> None:
    files = [_point("a", 1, 0.0, 2.0), _point("b", 1, 0.1, 300.0)]
    chart = tradeoff(files, TIME, LOST, PAGE)
    assert chart is not None
    assert chart["layer"][1]["encoding"]["x"]["scale"]["type"] == "log"
    size = tradeoff(files, SIZE, LOST, PAGE)
    assert size is not None
    assert "type" not in size["layer"][1]["encoding"]["x"]["scale"]


def test_errors_are_in_the_picture() -> None:
    files = [_point("a", 1, 0.0), Point("b", "b", "tflite", 2.0, 0.1, error=0.05)]
    chart = tradeoff(files, SIZE, LOST, PAGE)
    assert chart is not None
    row = chart["data"]["values"][1]
    assert (row["low"], row["high"]) == (pytest.approx(0.05), pytest.approx(0.15))
    low, high = chart["layer"][1]["encoding"]["y"]["scale"]["domain"]
    assert low <= 0.0
    assert high > 0.15

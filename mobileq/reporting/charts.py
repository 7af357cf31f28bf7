"""What files cost and what they are worth, in charts: sizes, times, losses, and which are best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mobileq.reporting.vega import Chart, Palette

_WIDTH, _HEIGHT = 400, 260
_LINE = 15
"""Pixels that a label needs."""
_NEAR = 120
"""Pixels by which labels must be apart to stand at the same height."""
_LONGEST = 14
"""Letters of a name beside a mark."""
_WIDE = 8.0
"""Times the least cost that the greatest is, from which on steps are multiples."""


@dataclass(frozen=True)
class Point:
    """One file: what it costs along each axis; None where that was not measured.

    Attributes:
        name: Beside its mark, and
        told: where that is pointed at.
        group: Files of one colour: a target's, or a bundle's.
        lost: What is worse about it than about the ONNX model.
        error: Standard error of that.
        ms: Milliseconds of an inference on the machine that measured, and
        on_phones: on each phone, where it was fastest.
        is_chosen: Whether it is the one to ship.
    """

    name: str
    told: str
    group: str
    size_mb: float
    lost: float | None
    error: float | None = None
    ms: float | None = None
    on_phones: Mapping[str, float | None] = field(default_factory=dict)
    is_chosen: bool = False


@dataclass(frozen=True)
class Axis:
    """One thing that files cost."""

    title: str
    of: Callable[[Point], float | None]


SIZE = Axis("size, MB", lambda point: point.size_mb)
TIME = Axis("median ms on the machine that measured", lambda point: point.ms)


def on_phone(device: str) -> Axis:
    """Times there."""
    return Axis(f"median ms on {device}", lambda point: point.on_phones.get(device))


def front(points: Sequence[Point], x: Axis, y: Axis) -> list[Point]:
    """The files that no other beats in both, in the order of `x` (V. Pareto)."""
    found: list[Point] = []
    for point in sorted(points, key=lambda each: (x.of(each) or 0.0, y.of(each) or 0.0)):
        if not found or (y.of(point) or 0.0) < (y.of(found[-1]) or 0.0):
            found.append(point)
    return found


def tradeoff(points: Sequence[Point], x: Axis, y: Axis, palette: Palette) -> Chart | None:
    """Where files lie between two costs; None where not even two have both."""
    known = [each for each in points if x.of(each) is not None and y.of(each) is not None]
    if len(known) < 2:
        return None
    best = front(known, x, y)
    across, up = _across(known, x), _up(known, y)
    rows = [_row(each, x, y, each in best) for each in known]
    if len({each.group for each in known}) > 1:
        for row in rows:
            row["name"] = f"{_shortened(row['group'])} {row['name']}"
    for row, height in zip(rows, _heights(rows, across, up), strict=True):
        row["label"] = height
    groups = list(dict.fromkeys(each.group for each in known))
    kind = {"field": "group", "type": "nominal", "sort": groups, "legend": None}
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": rows},
        "layer": [
            _front_line(best, x, y, across, up, palette),
            {
                "mark": {"type": "rule", "strokeWidth": 1.5, "aria": False},
                "encoding": {
                    "x": across,
                    "y": {**up, "field": "low"},
                    "y2": {"field": "high"},
                    "color": kind,
                },
            },
            _ring(across, up, palette),
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "x": across,
                    "y": up,
                    "color": kind,
                    "shape": kind,
                    "description": {"field": "told"},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 9, "dy": -9, "aria": False},
                "encoding": {
                    "x": across,
                    "y": {**up, "field": "label"},
                    "text": {"field": "name"},
                    "color": {"value": palette.ink},
                },
            },
        ],
    }


def histogram(values: Sequence[float], title: str, count: str, palette: Palette) -> Chart:
    """How often there is which difference; 0 is a border of two bars.

    Args:
        title: What `values` are.
        count: What is counted.
    """
    return {
        "width": 330,
        "height": 170,
        "data": {"values": [{"value": value} for value in values]},
        "mark": {"type": "bar", "color": palette.first},
        "encoding": {
            "x": {"field": "value", "bin": {"maxbins": 24}, "title": title},
            "y": {"aggregate": "count", "type": "quantitative", "title": count},
        },
    }


def _row(point: Point, x: Axis, y: Axis, is_best: bool) -> dict[str, Any]:
    lost, error = y.of(point) or 0.0, point.error or 0.0
    best = "; no other is better in both" if is_best else ""
    return {
        "name": point.name,
        "told": f"{point.told}{'; to ship' if point.is_chosen else ''}{best}",
        "group": point.group,
        "x": x.of(point),
        "y": lost,
        "low": lost - error,
        "high": lost + error,
        "chosen": point.is_chosen,
    }


def _shortened(name: str) -> str:
    """What fits beside a mark."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _across(points: Sequence[Point], x: Axis) -> Chart:
    """With room for a name beside the last mark."""
    costs = [x.of(each) or 0.0 for each in points]
    scale: Chart = {"domain": [0.0, 1.25 * max(costs)], "nice": False}
    if max(costs) > _WIDE * min(costs) > 0.0:
        scale = {"type": "log", "domain": [0.8 * min(costs), 2.0 * max(costs)], "nice": False}
    return {"field": "x", "type": "quantitative", "title": x.title, "scale": scale}


def _up(points: Sequence[Point], y: Axis) -> Chart:
    highest = max(0.0, *((y.of(each) or 0.0) + (each.error or 0.0) for each in points))
    lowest = min(0.0, *((y.of(each) or 0.0) - (each.error or 0.0) for each in points))
    height = highest - lowest or 1.0
    scale = {"domain": [lowest - 0.04 * height, highest + 0.12 * height], "nice": False}
    return {"field": "y", "type": "quantitative", "title": y.title, "scale": scale}


def _heights(rows: Sequence[dict[str, Any]], across: Chart, up: Chart) -> list[float]:
    """Where each name stands, so that none is on another: from below, as low as there is room."""
    low, high = up["scale"]["domain"]
    pixel = _HEIGHT / (high - low)
    placed: list[tuple[float, float]] = []
    found = dict[int, float]()
    for at in sorted(range(len(rows)), key=lambda at: (rows[at]["y"], rows[at]["x"])):
        left, height = _pixels(rows[at]["x"], across["scale"]), rows[at]["y"] * pixel
        for each in sorted(each for where, each in placed if abs(where - left) < _NEAR):
            if abs(each - height) < _LINE:
                height = each + _LINE
        placed.append((left, height))
        found[at] = height / pixel
    return [found[at] for at in range(len(rows))]


def _pixels(cost: float, scale: Chart) -> float:
    low, high = scale["domain"]
    if scale.get("type") == "log":
        return _WIDTH * math.log(cost / low) / math.log(high / low)
    return float(_WIDTH * (cost - low) / (high - low))


def _front_line(
    best: Sequence[Point], x: Axis, y: Axis, across: Chart, up: Chart, palette: Palette
) -> Chart:
    return {
        "data": {"values": [{"x": x.of(each), "y": y.of(each)} for each in best]},
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "strokeDash": [4, 3],
            "strokeWidth": 1.5,
            "aria": False,
        },
        "encoding": {"x": across, "y": up, "color": {"value": palette.quiet}},
    }


def _ring(across: Chart, up: Chart, palette: Palette) -> Chart:
    """Round the file to ship."""
    return {
        "transform": [{"filter": "datum.chosen"}],
        "mark": {
            "type": "point",
            "shape": "circle",
            "size": 420,
            "strokeWidth": 2.5,
            "filled": False,
            "opacity": 1,
            "aria": False,
        },
        "encoding": {"x": across, "y": up, "color": {"value": palette.good}},
    }

"""What 8 bits cost op by op, in charts: shares of the error, noise, ranges and what is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from mobileq.evaluate.layers import LayerNoise
from mobileq.quantize.group_plans import GroupPlan
from mobileq.reporting.vega import Chart, Palette

_ROW, _BARS = 22, 330
_NAME_LENGTH = 40
_LEAST_SHARE = 0.0005
_STEP = 90
"""Pixels of a column of figures."""
_WIDTH, _HEIGHT = 400, 220
_CLIPPED = 1.02
"""Times that values reach beyond a range, to be told: less is the rounding of its ends."""


@dataclass(frozen=True)
class Ranked:
    """A group of ops and its share of the error.

    Attributes:
        why: Where the bar is pointed at.
        figures: Beside the bar.
    """

    name: str
    op_type: str
    share: float
    why: str
    figures: tuple[str, ...] = ()


def ranked_chart(
    groups: Sequence[Ranked], columns: Sequence[str], palette: Palette, title: Chart | None = None
) -> Chart:
    """Shares of the error as bars, their running sum as a line, figures beside them.

    Args:
        groups: The most costly first.
        columns: Titles of the figures.
        title: Vega-Lite's, of the whole chart.
    """
    sums = accumulate(group.share for group in groups)
    rows = [
        {
            "at": at,
            "name": f"{shortened(group.op_type, 15)} {shortened(group.name, _NAME_LENGTH)}",
            "told": f"{group.name}: {group.why}",
            "share": group.share,
            "sum": min(1.0, total),
            "percent": f"{group.share:.1%}" if group.share >= _LEAST_SHARE else "< 0.1%",
            **{f"figure{number}": figure for number, figure in enumerate(group.figures)},
        }
        for at, (group, total) in enumerate(zip(groups, sums, strict=True))
    ]
    # Names of two groups may be cut to the same: each has its own place all the same.
    along = {"field": "at", "type": "ordinal", "axis": None}
    names: Chart = {
        "mark": {"type": "text", "align": "right", "fontSize": 11, "aria": False},
        "encoding": {"x": {"value": -8}, "text": {"field": "name"}},
    }
    across: Chart = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    across["axis"] = {"format": ".0%", "title": "share of the error; line: this and all above"}
    chart: Chart = {
        "width": _BARS + _STEP * len(columns),
        "height": _ROW * max(1, len(rows)),
        "data": {"values": rows},
        "encoding": {"y": along},
        "layer": [
            names,
            *_bars(across, palette, len(columns)),
            *(_column(number, name, palette) for number, name in enumerate(columns)),
        ],
    }
    return chart if title is None else {**chart, "title": title}


def _bars(across: Chart, palette: Palette, columns: int) -> list[Chart]:
    # Figures stand to the right of the bars: their scale ends before the chart does.
    reach = {**across, "scale": {"domain": [0, 1 + columns * _STEP / _BARS], "nice": False}}
    reach["axis"] = {**across["axis"], "values": [0, 0.25, 0.5, 0.75, 1], "titleAnchor": "start"}
    return [
        {
            "mark": {"type": "bar", "height": 13, "cornerRadius": 2, "color": palette.first},
            "encoding": {
                "x": {"field": "share", **reach},
                "description": {"field": "told"},
            },
        },
        {
            "mark": {"type": "line", "color": palette.second, "strokeWidth": 1.5, "aria": False},
            "encoding": {"x": {"field": "sum", **reach}, "order": {"field": "at"}},
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 20,
                "color": palette.second,
                "opacity": 1,
                "aria": False,
            },
            "encoding": {"x": {"field": "sum", **reach}},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 11, "aria": False},
            "encoding": {"x": {"field": "share", **reach}, "text": {"field": "percent"}},
        },
    ]


def _column(number: int, name: str, palette: Palette) -> Chart:
    right = _BARS + _STEP * (number + 1)
    figure: Chart = {
        "mark": {"type": "text", "align": "right", "fontSize": 11, "aria": False},
        "encoding": {"x": {"value": right}, "text": {"field": f"figure{number}"}},
    }
    head: Chart = {
        "data": {"values": [{"text": name}]},
        "mark": {
            "type": "text",
            "align": "right",
            "fontSize": 11,
            "color": palette.quiet,
            "aria": False,
        },
        "encoding": {
            "x": {"value": right},
            "y": {"value": -8},
            "text": {"field": "text"},
        },
    }
    return {"layer": [figure, head]}


def noise_chart(groups: Sequence[GroupPlan], palette: Palette) -> Chart:
    """How much of each tensor is left after it is rounded and clipped, in the order of ops."""
    rows = [
        {
            "at": at,
            "value": group.sqnr_db,
            "kind": "stays float" if group.is_float else "integers",
            "told": _told(group),
        }
        for at, group in enumerate(groups)
    ]
    return _along(rows, "SQNR of the tensor alone, dB", palette)


def file_noise_chart(layers: Sequence[LayerNoise], palette: Palette) -> Chart:
    """What is left of each tensor in the file itself, after all that was rounded before it."""
    rows = [
        {
            "at": at,
            "value": layer.sqnr_db,
            "kind": "integers" if layer.int8_low is not None else "stays float",
            "told": f"{layer.name} ({layer.op_type}): {layer.sqnr_db:.1f} dB",
        }
        for at, layer in enumerate(layers)
        if layer.sqnr_db is not None
    ]
    return _along(rows, "SQNR in the file, dB", palette)


def _along(rows: Sequence[dict[str, Any]], title: str, palette: Palette) -> Chart:
    kinds = ["integers", "stays float"]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": list(rows)},
        "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
        "encoding": {
            "x": {"field": "at", "type": "quantitative", "title": "op, as they run"},
            "y": {"field": "value", "type": "quantitative", "title": title},
            **{
                channel: {
                    "field": "kind",
                    "type": "nominal",
                    "title": None,
                    "legend": {"orient": "top"},
                    "scale": {"domain": kinds, "range": values},
                }
                for channel, values in (
                    ("color", [palette.first, palette.second]),
                    ("shape", ["circle", "diamond"]),
                )
            },
            "description": {"field": "told"},
        },
    }


def range_chart(groups: Sequence[GroupPlan], palette: Palette) -> Chart:
    """What integers hold of what was seen of each tensor; what is beyond is clipped."""
    rows = [
        {
            "at": at,
            "low": group.low,
            "high": group.high,
            "seen_low": group.seen_low,
            "seen_high": group.seen_high,
            "told": _told(group),
        }
        for at, group in enumerate(groups)
    ]
    at = {"field": "at", "type": "quantitative", "title": "op, as they run"}
    scale = {"type": "symlog", "constant": 1}
    up = {"type": "quantitative", "title": "values; thin: seen, thick: held", "scale": scale}
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 1.5, "color": palette.second},
                "encoding": {
                    "x": at,
                    "y": {"field": "seen_low", **up},
                    "y2": {"field": "seen_high"},
                    "description": {"field": "told"},
                },
            },
            {
                "mark": {"type": "rule", "strokeWidth": 3.5, "color": palette.first},
                "encoding": {
                    "x": at,
                    "y": {"field": "low", **up},
                    "y2": {"field": "high"},
                    "description": {"field": "told"},
                },
            },
        ],
    }


def clips(group: GroupPlan) -> bool:
    """Whether values were seen beyond what integers hold."""
    return group.seen_high > _CLIPPED * group.high or group.seen_low < _CLIPPED * group.low


def _told(group: GroupPlan) -> str:
    return (
        f"{group.name} ({group.op_type}): {group.why}; seen {group.seen_low:.3g} .. "
        f"{group.seen_high:.3g}; {group.sqnr_db:.1f} dB"
    )


def shortened(name: str, length: int) -> str:
    """The end of a name tells more than its start: modules come before what they hold."""
    if len(name) <= length:
        return name
    head = length // 4
    return f"{name[:head]}…{name[len(name) - (length - head - 1) :]}"

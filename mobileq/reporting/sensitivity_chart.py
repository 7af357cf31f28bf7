"""The bar chart of `mobileq sensitivity`, as an SVG that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from mobileq.quantize.sensitivities import Sensitivity
    from mobileq.quantize.sensitivity import GroupSensitivity

_SHOWN = 30
_WIDTH, _TOP, _ROW, _BAR, _BOTTOM = 1040, 112, 24, 14, 62
_LEFT, _RIGHT = 372, 800
"""Where a share of 0 and of 100 % lie."""
_SQNR, _AGREEMENT, _WEIGHTS = 872, 944, 1016
"""Right edges of the columns."""
_NAME_LENGTH = 36
_LEAST_SHARE = 0.0005
_TICKS = (0, 25, 50, 75, 100)
_STYLE = """
    text { font: 12px "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif }
    text { fill: #1f2933 }
    .title { font-size: 19px; font-weight: 600 }
    .quiet { fill: #6b7785; font-size: 11px }
    .name { font: 11.5px Menlo, Consolas, "DejaVu Sans Mono", monospace }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    .grid { stroke: #e4e8ec }
    .row { fill: #f6f8fa }
    .bar { fill: #2f6fb7 }
    .share { font-size: 11px; font-weight: 600 }
    .sum { fill: none; stroke: #e07b39; stroke-width: 1.6; stroke-linejoin: round }
    .dot { fill: #e07b39 }
"""


def chart(found: Sensitivity) -> str:
    """The most sensitive groups: shares of the error as bars, their running sum as a line."""
    groups = found.groups[:_SHOWN]
    height = _TOP + _ROW * len(groups) + _BOTTOM
    body = "\n".join(f"  {line}" for line in _lines(found, groups))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">\n'
        f"  <title>{_text(_title(found))}</title>\n"
        f"  <style>{_STYLE}  </style>\n"
        f'  <rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f"{body}\n</svg>\n"
    )


def _lines(found: Sensitivity, groups: tuple[GroupSensitivity, ...]) -> Iterator[str]:
    bottom = _TOP + _ROW * len(groups)
    yield f'<text class="title" x="24" y="36">{_text(_title(found))}</text>'
    yield f'<text class="quiet" x="24" y="56">{_text(_subtitle(found, len(groups)))}</text>'
    yield from _header()
    for at in range(0, len(groups), 2):
        y = _TOP + _ROW * at
        yield f'<rect class="row" x="16" y="{y}" width="{_WIDTH - 32}" height="{_ROW}"/>'
    for tick in _TICKS:
        x = _place(tick / 100)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        yield f'<text class="quiet middle" x="{x}" y="{bottom + 17}">{tick} %</text>'
    for at, group in enumerate(groups):
        yield from _row(group, _TOP + _ROW * at)
    yield from _running_sum(groups)
    yield from _legend(bottom + 42)


def _header() -> Iterator[str]:
    y = _TOP - 10
    yield f'<text class="quiet" x="24" y="{y}">op</text>'
    yield f'<text class="quiet end" x="{_LEFT - 12}" y="{y}">tensor it gives</text>'
    yield f'<text class="quiet" x="{_LEFT}" y="{y}">share of the error</text>'
    for x, name in ((_SQNR, "SQNR dB"), (_AGREEMENT, "agreement"), (_WEIGHTS, "weights")):
        yield f'<text class="quiet end" x="{x}" y="{y}">{name}</text>'


def _row(group: GroupSensitivity, top: int) -> Iterator[str]:
    y, bar = top + 16, max(1.0, _place(group.share) - _LEFT)
    agreed = "–" if group.agreement is None else f"{group.agreement:.3f}"  # noqa: RUF001
    share = f"{group.share:.1%}" if group.share >= _LEAST_SHARE else "&lt; 0.1%"
    yield "<g>"
    yield f"  <title>{_text(f'{group.name}: {group.why}')}</title>"
    yield f'  <text class="quiet" x="24" y="{y}">{_text(_shortened(group.op_type, 15))}</text>'
    name = _text(_shortened(group.name, _NAME_LENGTH))
    yield f'  <text class="name end" x="{_LEFT - 12}" y="{y}">{name}</text>'
    yield (
        f'  <rect class="bar" x="{_LEFT}" y="{top + (_ROW - _BAR) // 2}" width="{bar:.1f}" '
        f'height="{_BAR}" rx="2"/>'
    )
    # In the bar where the running sum would lie on the figure beside it.
    if bar > (_RIGHT - _LEFT) / 8:
        style = ' class="share end" style="fill: #ffffff"'
        yield f'  <text{style} x="{_LEFT + bar - 6:.1f}" y="{y}">{share}</text>'
    else:
        yield f'  <text class="share" x="{_LEFT + bar + 6:.1f}" y="{y}">{share}</text>'
    yield f'  <text class="end" x="{_SQNR}" y="{y}">{group.sqnr_db:.1f}</text>'
    yield f'  <text class="end" x="{_AGREEMENT}" y="{y}">{agreed}</text>'
    yield f'  <text class="end" x="{_WEIGHTS}" y="{y}">{group.weight_count:,}</text>'
    yield "</g>"


def _running_sum(groups: tuple[GroupSensitivity, ...]) -> Iterator[str]:
    points = [
        (_place(min(1.0, share)), _TOP + _ROW * at + _ROW // 2)
        for at, share in enumerate(accumulate(group.share for group in groups))
    ]
    yield f'<polyline class="sum" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
    for x, y in points:
        yield f'<circle class="dot" cx="{x}" cy="{y}" r="2.6"/>'


def _legend(y: int) -> Iterator[str]:
    yield f'<rect class="bar" x="{_LEFT}" y="{y - 9}" width="18" height="10" rx="2"/>'
    yield f'<text class="quiet" x="{_LEFT + 24}" y="{y}">this group alone</text>'
    x = _LEFT + 150
    yield f'<polyline class="sum" points="{x},{y - 4} {x + 18},{y - 4}"/>'
    yield f'<circle class="dot" cx="{x + 9}" cy="{y - 4}" r="2.6"/>'
    yield f'<text class="quiet" x="{x + 24}" y="{y}">this and all above it</text>'


def _title(found: Sensitivity) -> str:
    return f"{found.model}: what 8 bits cost, op by op"


def _subtitle(found: Sensitivity, shown: int) -> str:
    of = f"the {shown} most sensitive of {len(found.groups)} groups"
    if shown == len(found.groups):
        of = f"all {shown} groups"
    return (
        f"{of}, each quantized alone; {found.head} head, ranges from "
        f"{found.calibration_images} pictures, run on {found.samples}"
    )


def _place(share: float) -> float:
    return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def _shortened(name: str, length: int) -> str:
    """The end of a name tells more than its start: modules come before what they hold."""
    if len(name) <= length:
        return name
    head = length // 4
    return f"{name[:head]}…{name[len(name) - (length - head - 1) :]}"


def _text(text: str) -> str:
    """For XML, which takes no control characters, not even escaped."""
    return escape("".join(char if char.isprintable() else "?" for char in text))

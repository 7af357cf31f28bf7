"""Charts of Vega-Lite, as SVG that needs nothing but a browser.

A chart is a Vega-Lite specification, plain data, that vl-convert renders without a network. What
a mark's `description` says becomes its `<title>`: browsers show it where the pointer is.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_SVG = "http://www.w3.org/2000/svg"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_FONT = '"Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'
_SAID = ("role", "aria-label", "aria-roledescription", "aria-hidden", "class")
"""What Vega says of each part; a picture is one thing, with a table beside it."""
_BESIDE = ("axis", "legend", "title")
Chart = dict[str, Any]


@dataclass(frozen=True)
class Palette:
    """Colours of a chart, as CSS has them.

    Attributes:
        ink: Of text.
        quiet: Of text that is beside the point.
        grid: Of lines behind the marks.
        first, second, third, fourth: Of what is told apart, as far as that can be.
        good, bad: Of what is.
        background: None where there is one already.
    """

    ink: str
    quiet: str
    grid: str
    first: str
    second: str
    third: str
    fourth: str
    good: str
    bad: str
    background: str | None = None

    @property
    def series(self) -> list[str]:
        """Of things that are told apart."""
        return [self.first, self.second, self.third, self.fourth]


LIGHT = Palette(
    ink="#1f2933",
    quiet="#5b6875",
    grid="#dfe4ea",
    first="#2f6fb7",
    second="#b3541e",
    third="#2b7a4b",
    fourth="#7b4fa3",
    good="#1d6b3f",
    bad="#b3261e",
    background="#ffffff",
)
DARK = Palette(
    ink="#e6eaef",
    quiet="#a3afbc",
    grid="#36404b",
    first="#6fb1f5",
    second="#f0a05c",
    third="#6cc993",
    fourth="#c39be6",
    good="#6cc993",
    bad="#ff8a80",
    background="#14191f",
)
PAGE = Palette(**{each.name: f"var(--{each.name})" for each in fields(Palette)[:-1]})
"""The page says which of the two it is."""


def render(chart: Chart, palette: Palette, description: str) -> str:
    """The chart as an `<svg>` that scales with what is around it.

    Args:
        chart: A Vega-Lite specification; names of models in its data may hold anything.
        description: What it shows, for those who do not see it.
    """
    import vl_convert

    made = {"$schema": _SCHEMA, **_clean(chart), "config": _config(palette)}
    return _tidied(vl_convert.vegalite_to_svg(made), description)


def _config(palette: Palette) -> Chart:
    text = {"labelColor": palette.ink, "titleColor": palette.ink, "labelFontSize": 12}
    text |= {"titleFontSize": 12, "titleFontWeight": "normal", "labelFont": _FONT}
    text["titleFont"] = _FONT
    lines = {"gridColor": palette.grid, "domainColor": palette.quiet, "tickColor": palette.quiet}
    return {
        "background": palette.background,
        "view": {"stroke": None},
        "axis": {**text, **lines},
        "legend": {**text, "symbolOpacity": 1},
        "header": text,
        "text": {"font": _FONT, "fontSize": 12, "color": palette.ink},
        "title": {"font": _FONT, "color": palette.ink, "anchor": "start", "fontWeight": 600},
        "range": {"category": palette.series},
    }


def _clean(value: Any) -> Any:
    """Without characters that XML has no way to say, or that turn the text around them."""
    if isinstance(value, str):
        return "".join(
            char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value
        )
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value


def _tidied(svg: str, description: str) -> str:
    """One picture with a name, whose marks say what they are when they are pointed at."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for element in list(root.iter()):
        found = {name: element.attrib.pop(name, "") for name in _SAID}
        if found["role"] == "graphics-symbol" and found["aria-roledescription"] not in _BESIDE:
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = found["aria-label"]
            element.insert(0, title)
    width, height = (root.attrib.pop(name) for name in ("width", "height"))
    root.attrib.pop("version", None)
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("style", f"max-width: {width}px; width: 100%; height: auto")
    root.set("role", "img")
    root.set("aria-label", _clean(description))
    return ElementTree.tostring(root, encoding="unicode")

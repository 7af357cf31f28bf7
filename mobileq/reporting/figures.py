"""A chart as it stands in the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.reporting import vega

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Figure:
    """A picture, and what it shows; a wide one has a row of its own."""

    svg: Markup
    caption: str
    is_wide: bool = False


def figure(chart: vega.Chart, caption: str, *, is_wide: bool = False) -> Figure:
    """A chart in the page's colours."""
    from markupsafe import Markup

    return Figure(Markup(vega.render(chart, vega.PAGE, caption)), caption, is_wide)

"""What a result tells, on whatever shows it: a terminal, a notebook, `print`.

A result's type says once, in `tell`, which tables and lines there are. `mobileq.console.Console` is
the page of the command line; the two here are those of Python.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Protocol


class Page(Protocol):
    """Where tables and lines go."""

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table; columns after the first that hold numbers are set to the right."""

    def line(self, text: str = "", style: str = "") -> None:
        """A line; `style` is one of good, bad, quiet, strong."""


class Told:
    """Mixin of results: `print` and notebooks show what the command line shows."""

    __slots__ = ()

    def tell(self, page: Page) -> None:
        """Put the result on a page."""
        raise NotImplementedError

    def __str__(self) -> str:
        page = TextPage()
        self.tell(page)
        return "\n".join(page.lines)

    def _repr_html_(self) -> str:
        page = HtmlPage()
        self.tell(page)
        return page.html


class TextPage:
    """Plain text, in `lines`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """Cells with two spaces between them."""
        if title:
            self.lines += ["", title] if self.lines else [title]
        right = numeric_columns(columns, rows)
        shown = [columns, *rows]
        widths = [max(len(row[index]) for row in shown) for index in range(len(columns))]
        for row in shown:
            cells = zip(row, widths, right, strict=True)
            padded = (cell.rjust(width) if r else cell.ljust(width) for cell, width, r in cells)
            self.lines.append("  ".join(padded).rstrip())

    def line(self, text: str = "", style: str = "") -> None:
        """The text as it is."""
        self.lines.append(text)


class HtmlPage:
    """HTML for a cell of a notebook, in `html`; colours are the notebook's own."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    @property
    def html(self) -> str:
        """All of it, in one element."""
        return f"<div>{''.join(self._parts)}</div>"

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table with its title as the caption."""
        right = numeric_columns(columns, rows)
        head = _row("th", columns, right)
        body = "".join(_row("td", row, right) for row in rows)
        caption = _element("caption", title, _CAPTION) if title else ""
        self._parts.append(f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>")

    def line(self, text: str = "", style: str = "") -> None:
        """A paragraph."""
        self._parts.append(_element("p", text, _LINES.get(style, _PLAIN)))

    def picture(self, jpeg: bytes, caption: str) -> None:
        """A picture beside the one before it, where there is room."""
        source = base64.b64encode(jpeg).decode()
        self._parts.append(
            f'<figure style="display: inline-block; margin: 0 1em 1em 0">'
            f'<img src="data:image/jpeg;base64,{source}" style="max-width: 100%" '
            f'alt="{html.escape(caption)}">{_element("figcaption", caption)}</figure>'
        )


_PLAIN = "margin: 0.3em 0"
_LINES = {
    "quiet": f"{_PLAIN}; opacity: 0.7",
    "strong": f"{_PLAIN}; font-weight: bold",
    "bad": f"{_PLAIN}; font-weight: bold; color: firebrick",
    "good": f"{_PLAIN}; color: green",
}
_CAPTION = "caption-side: top; text-align: left; font-weight: bold; white-space: nowrap"


def _row(tag: str, cells: Sequence[str], right: Sequence[bool]) -> str:
    styles = (f"text-align: {'right' if each else 'left'}" for each in right)
    return f"<tr>{''.join(map(_element, [tag] * len(cells), cells, styles))}</tr>"


def _element(tag: str, text: str, style: str = "") -> str:
    style = f' style="{style}"' if style else ""
    return f"<{tag}{style}>{html.escape(text)}</{tag}>"


def numeric_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns hold numbers, all through; the first is a name whatever it holds."""
    return [
        index > 0 and all(_numeric(row[index]) for row in rows) for index in range(len(columns))
    ]


def _numeric(cell: str) -> bool:
    head = cell.strip().split(" ")[0].rstrip("%")
    if head in ("", "-"):
        return True
    try:
        float(head.replace(",", ""))
    except ValueError:
        return False
    return True


def megabytes(size_bytes: int) -> str:
    """A file's size: 1.59 MB.

    >>> megabytes(1_594_000)
    '1.59 MB'
    """
    return f"{size_bytes / 1e6:.2f} MB"


def number(value: float | int | str | None, form: str, without: str = "-") -> str:
    """A figure in the given format, or what stands for one that there is not. What rounds to 0 has
    no sign."""
    if value is None:
        return without
    return format(value, f"z{form}" if isinstance(value, float) else form)


def span(low: float, high: float) -> str:
    """A range of values, in three digits."""
    return f"{low:.3g} .. {high:.3g}"


def most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Names and how often, the most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def plural(count: int, what: str) -> str:
    """A number of things.

    >>> plural(1, "picture"), plural(3, "picture")
    ('1 picture', '3 pictures')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"

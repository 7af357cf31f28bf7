"""What a result tells, kept for a template: see `mobileq.page`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mobileq.page import Told, numeric_columns

Cell = tuple[str, bool]
"""What stands in it, and whether it is a number."""


@dataclass(frozen=True)
class Table:
    """A table as it was told."""

    title: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass
class Collected:
    """A `mobileq.page.Page` that keeps all it is told; lines with their styles."""

    tables: list[Table] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """Keep it."""
        right = numeric_columns(columns, rows)
        head, *body = (tuple(zip(row, right, strict=True)) for row in (columns, *rows))
        self.tables.append(Table(title, head, tuple(body)))

    def line(self, text: str = "", style: str = "") -> None:
        """Keep it."""
        self.lines.append((text, style))


def collected(result: Told) -> Collected:
    """All that a result tells."""
    page = Collected()
    result.tell(page)
    return page

"""All that a person sees: tables, progress bars, notices, errors, and `--json`.

Results go to stdout, everything else to stderr; with `--json` stdout gets one JSON document.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from mobileq.errors import MobileqError
from mobileq.progress import Advance

if TYPE_CHECKING:
    import rich.console

_PIPED_WIDTH = 120
_STYLES = {"good": "green", "bad": "bold red", "quiet": "dim", "strong": "bold"}


class Console:
    """Where one command prints. `json` silences all but the document and errors."""

    def __init__(self, json: bool = False) -> None:
        import rich.console

        self.json = json
        # Without a terminal rich assumes 80 columns, too few for our tables.
        self._out = rich.console.Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
        self._err = rich.console.Console(stderr=True)
        self._notices: list[str] = []

    @property
    def out(self) -> rich.console.Console:
        """The rich console of stdout."""
        return self._out

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A progress bar on a terminal; nothing elsewhere."""
        if self.json or not self._err.is_terminal:
            return _no_bar()
        return self._bar(name, total)

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[Advance]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        count = (MofNCompleteColumn(),) if total else ()
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), *count, Elapsed())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda: bar.advance(task)

    def notice(self, text: str) -> None:
        """One sentence on stderr, once."""
        if text in self._notices:
            return
        self._notices.append(text)
        if not self.json:
            self._err.print(f"[yellow]Note:[/] {_plain(text)}", highlight=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table on stdout; columns after the first that hold numbers are set to the right."""
        from rich.table import Table

        table = Table(title=title or None, title_justify="left", header_style="bold")
        for index, column in enumerate(columns):
            numeric = index > 0 and all(_numeric(row[index]) for row in rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        self._out.print(table)

    def line(self, text: str = "", style: str = "") -> None:
        """A line on stdout; `style` is one of good, bad, quiet, strong."""
        if not self.json:
            self._out.print(_plain(text), style=_STYLES.get(style), highlight=False)

    def document(self, value: Any) -> None:
        """The one JSON document of a command; `value` is a Spec or made of such."""
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        sys.stdout.write(text + "\n")


@contextmanager
def _no_bar() -> Iterator[Advance]:
    yield lambda: None


def _plain(text: str) -> str:
    """`text` with its square brackets safe from rich's markup."""
    from rich.markup import escape

    return escape(text)


def _numeric(cell: str) -> bool:
    head = cell.strip().split(" ")[0].rstrip("%")
    if head in ("", "-"):
        return True
    try:
        float(head.replace(",", ""))
    except ValueError:
        return False
    return True


def print_error(error: MobileqError) -> None:
    """One sentence and its remedy on stderr."""
    import rich.console

    console = rich.console.Console(stderr=True, soft_wrap=True)
    console.print(f"[bold red]Error:[/] {_plain(error.message)}", highlight=False)
    if error.hint:
        console.print(f"[bold]Try:[/] {_plain(error.hint)}", highlight=False)


def print_bug(log: str) -> None:
    """What a person sees of a bug."""
    import rich.console

    console = rich.console.Console(stderr=True, soft_wrap=True)
    console.print(
        f"[bold red]Error:[/] mobileq failed in a way it should not; the details are in {log}.",
        highlight=False,
    )

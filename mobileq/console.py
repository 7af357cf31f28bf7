"""All that a person sees: tables, progress bars, notices, errors, and `--json`.

Results go to stdout, everything else to stderr; with `--json` stdout gets one JSON document.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from mobileq.errors import MobileqError
from mobileq.logfile import take_native_output
from mobileq.notebook import NotebookBars
from mobileq.page import TextPage, numeric_columns
from mobileq.progress import Advance, listen

if TYPE_CHECKING:
    import rich.console
    from rich.text import Text

_PIPED_WIDTH = 120
_notices: list[str] = []
"""Of the command that runs: its errors are shown with them, where no console is known any more."""
_beginning: list[str] = []
"""Notices of before a command had a console, which its console gives."""
_STYLES = {"good": "green", "bad": "bold red", "quiet": "dim", "strong": "bold"}


class Console:
    """Where one command prints, and a new one starts: notices that were given before are forgotten.
    `json` silences all but the document and errors."""

    def __init__(self, json: bool = False) -> None:
        import rich.console

        self.json = json
        # Without a terminal rich assumes 80 columns, too few for our tables.
        self._out = rich.console.Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
        self._err, self._bars = _stderr(), NotebookBars()
        _notices.clear()
        listen(self)
        take_native_output()
        for notice in _beginning:
            self.notice(notice)

    @property
    def out(self) -> rich.console.Console:
        """The rich console of stdout."""
        return self._out

    def stage(
        self, name: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """A progress bar on a terminal and in a notebook; nothing elsewhere."""
        if self.json or not (self._err.is_terminal or self._err.is_jupyter):
            return _no_bar()
        return (self._bars.stage if self._err.is_jupyter else self._bar)(
            _one_line(name), total, unit
        )

    @contextmanager
    def _bar(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import DownloadColumn as Bytes
        from rich.progress import TimeElapsedColumn as Elapsed

        count = (Bytes() if unit == "bytes" else MofNCompleteColumn(),) if total else ()
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(bar_width=30), *count, Elapsed())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda count=1, /: bar.advance(task, count)

    def notice(self, text: str) -> None:
        """One sentence, once: on stderr, or in the document."""
        text = _one_line(text)
        if text in _notices:
            return
        _notices.append(text)
        if not self.json:
            _say(self._err, "Note:", "yellow", text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table on stdout; columns after the first that hold numbers are set to the right."""
        if self.json:
            return
        longest = _column_to_lift(columns, rows, self._out.width)
        if longest is not None:
            self._lifted(columns, rows, longest, title)
            return
        from rich.table import Table

        table = Table(
            title=_plain(title) if title else None, title_justify="left", header_style="bold"
        )
        for column, numeric in zip(columns, numeric_columns(columns, rows), strict=True):
            table.add_column(
                _plain(column), justify="right" if numeric else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        self._out.print(table)

    def _lifted(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], longest: int, title: str
    ) -> None:
        """The table without its longest column, whose cells stand in lines of their own above the
        rest of their rows: a tensor's name in pieces of eight letters can't be read or copied."""
        page = TextPage()
        page.table(_without(columns, longest), [_without(row, longest) for row in rows])
        head, *lines = page.lines
        if title:
            self.line(title, "strong")
        self.line(f"{columns[longest]}, and below each:", "quiet")
        self._out.print(f"  {head}", style="bold", markup=False, highlight=False, soft_wrap=True)
        above = ""
        for row, line in zip(rows, lines, strict=True):
            if row[longest] != above:
                above = row[longest]
                self._out.print(_plain(above), soft_wrap=True)
            self._out.print(f"  {line}", markup=False, highlight=False, emoji=False, soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        """A line on stdout; `style` is one of good, bad, quiet, strong."""
        if not self.json:
            shown = _plain(text, _STYLES.get(style, ""))
            shown.plain = _wrapped(self._out, shown.plain)
            self._out.print(shown, soft_wrap=True)

    def document(self, value: Any) -> None:
        """The one JSON document of a command, with all notices.

        Args:
            value: A Spec, or a dict made of such; notices of its own come first.
        """
        import msgspec

        fields = msgspec.to_builtins(value)
        fields["notices"] = [*fields.get("notices", ()), *_notices]
        _write(fields)


@contextmanager
def _no_bar() -> Iterator[Advance]:
    yield lambda count=1, /: None


def _stderr() -> rich.console.Console:
    import rich.console

    return rich.console.Console(stderr=True)


def _say(console: rich.console.Console, head: str, style: str, text: str) -> None:
    from rich.text import Text

    said = Text(_wrapped(console, f"{head} {_one_line(text)}"))
    said.stylize(style, 0, len(head))
    console.print(said, soft_wrap=True)


def _wrapped(console: rich.console.Console, text: str) -> str:
    """Broken between words on a terminal; elsewhere one line, for logs are searched.

    A path longer than a line stays whole, so that it can be copied.
    """
    if not console.is_terminal:
        return text
    lines = textwrap.wrap(text, console.width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _column_to_lift(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> int | None:
    """The column without which a table fits, where it is too wide for `width` columns."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, (head, *cells))) for head, *cells in zip(columns, *rows, strict=True)
    ]
    if not rows or sum(widths) + 3 * len(widths) + 1 <= width:
        return None
    longest = widths.index(max(widths))
    rest = sum(widths) - widths[longest] + 2 * len(widths)
    return longest if rest <= width else None


def _without(row: Sequence[str], index: int) -> list[str]:
    return [_one_line(cell) for at, cell in enumerate(row) if at != index]


def _plain(text: str, style: str = "") -> Text:
    """`text` as it is: in a string, rich makes colours of `[red]` and a picture of `:car:`."""
    from rich.text import Text

    return Text(_one_line(text), style)


def _one_line(text: str) -> str:
    """`text` without line breaks, and with control characters escaped.

    File names, labels and the messages of tools can hold both.
    """
    joined = re.sub(r"\s*[\r\n]\s*", " ", text.strip())
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in joined)


def forget_notices() -> None:
    """Before a command, which may fail before it has a console."""
    _notices.clear()
    _beginning.clear()


def begin_with(notice: str) -> None:
    """What the console of the command that is about to start says first."""
    _beginning.append(notice)


def _write(document: dict[str, Any]) -> None:
    import msgspec

    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a file name of another encoding
        encoded = msgspec.json.encode(_as_text(document))
    text = msgspec.json.format(encoded, indent=2).decode()
    sys.stdout.write(text + "\n")


def _as_text(value: Any) -> Any:
    """The same with what is no valid Unicode made visible."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list | tuple) else value


def print_error(error: MobileqError, json: bool = False) -> None:
    """One sentence and its remedy on stderr; `json` puts them on stdout too, as the document, with
    the notices that came before."""
    message, hint = _one_line(error.message), _one_line(error.hint)
    console = _stderr()
    _say(console, "Error:", "bold red", message)
    if hint:
        _say(console, "Try:", "bold", hint)
    if json:
        described = {"message": message, "hint": hint, "exit_code": error.exit_code}
        _write({"error": described, "notices": _notices})


def print_bug(log: str, json: bool = False) -> None:
    """What a person sees of a bug."""
    text = f"mobileq failed in a way it should not; the details are in {log}."
    print_error(MobileqError(text, "Report it with that file."), json)

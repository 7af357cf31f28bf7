"""What long work is at, in the cell of a notebook: HTML that IPython replaces, so that nothing has
to be installed for it (rich's bars want ipywidgets)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from mobileq.page import megabytes
from mobileq.progress import Advance, Stage

_PAUSE_S = 0.2
"""Between two pictures of one stage: each is a message that the notebook has to take."""


class _Stage(Stage):
    @property
    def told(self) -> str:
        if not self.total:
            return self.name
        shown = megabytes if self.unit == "bytes" else str
        return f"{self.name} {shown(self.done)}/{shown(self.total)}"

    @property
    def html(self) -> str:
        # Without a value the notebook's own bar moves to and fro.
        value = f' max="{self.total}" value="{self.done}"' if self.total else ""
        bar = f'<progress{value} aria-label="{escape(self.name)}"></progress>'
        return f"<div>{bar} {escape(self.told)}</div>"


class NotebookBars:
    """One place in a cell, with a row for each stage that runs; empty where none does."""

    def __init__(self) -> None:
        self._stages: list[_Stage] = []
        self._place: Any = None
        self._shown = 0.0

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        """See `mobileq.progress.Progress.stage`."""
        stage = _Stage(name, total, unit)
        self._stages.append(stage)
        self._show()

        def advance(count: int = 1, /) -> None:
            stage.done += count
            if time.monotonic() - self._shown > _PAUSE_S:
                self._show()

        try:
            yield advance
        finally:
            self._stages.remove(stage)
            self._show()

    def _show(self) -> None:
        from IPython.display import display

        self._shown = time.monotonic()
        stages = list(self._stages)  # work in other threads has stages too
        told = {
            "text/plain": "\n".join(each.told for each in stages),
            "text/html": "".join(each.html for each in stages),
        }
        if self._place is None:
            self._place = display(told, raw=True, display_id=True)
        else:
            self._place.update(told, raw=True)

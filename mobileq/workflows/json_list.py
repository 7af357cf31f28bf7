"""A JSON list on disk, picture by picture: of thousands, results would fill the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mobileq.workflows.results import written_whole


class JsonList:
    """A list that grows."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._separator = ""

    def add(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Those of one picture."""
        if results:
            self._file.write(self._separator + json.dumps(results)[1:-1])
            self._separator = ", "


@contextmanager
def json_list(path: Path, option: str) -> Iterator[JsonList]:
    """A file that takes the place of `path` at the end of the block.

    Raises:
        MobileqError: The disk is full or cannot be written.
    """
    with written_whole(path, option) as place, place.open("w") as file:
        file.write("[")
        yield JsonList(file)
        file.write("]")

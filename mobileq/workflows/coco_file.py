"""COCO results on disk, picture by picture: of thousands they would fill the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mobileq.tasks.detect.coco import CocoResult
from mobileq.workflows.results import written_whole


class CocoFile:
    """A JSON list that grows."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._separator = ""

    def add(self, results: Sequence[CocoResult]) -> None:
        """Those of one picture."""
        if results:
            self._file.write(self._separator + json.dumps(results)[1:-1])
            self._separator = ", "


@contextmanager
def coco_file(path: Path, option: str) -> Iterator[CocoFile]:
    """A file that takes the place of `path` at the end of the block.

    Raises:
        MobileqError: The disk is full or cannot be written.
    """
    with written_whole(path, option) as place, place.open("w") as file:
        file.write("[")
        yield CocoFile(file)
        file.write("]")

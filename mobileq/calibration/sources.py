"""What samples are read from: things in a fixed order, each with a name, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt

SourceKind = Literal["folder", "data_yaml", "image", "video", "pictures", "tensors"]


@dataclass(frozen=True, eq=False)
class Reading:
    """One thing that was read, or the reason why it could not be, which follows its name.

    `array` is a picture, uint8 [H, W, 3] RGB. A source of kind "tensors" gives `feeds` in its
    place: what each of the model's inputs takes, by its name.
    """

    position: int
    array: npt.NDArray[Any] | None = None
    problem: str = ""
    feeds: dict[str, npt.NDArray[Any]] | None = None


class Source(Protocol):
    """A number of things in a fixed order. No id or reason holds a path outside the source."""

    @property
    def kind(self) -> SourceKind: ...

    @property
    def count(self) -> int: ...

    @property
    def in_time(self) -> bool:
        """Neighbours are alike, so a choice is spread evenly instead of drawn."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what was passed over."""

    def id(self, position: int) -> str:
        """Name, unique in the source."""

    def path(self, position: int) -> Path | None:
        """The file that holds this and nothing else, if there is one."""

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        """Read what is at the positions (ascending), in that order, one at a time."""

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        """SHA-256 of the content at each position, or of the one file that holds them all."""


def printable(text: str) -> str:
    """The text with what is no valid Unicode (names of other encodings) made visible."""
    return text.encode("utf-8", "backslashreplace").decode()


def some(names: Sequence[str], limit: int = 3) -> str:
    """The first names, for a sentence."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown

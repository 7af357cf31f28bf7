"""The code blocks of README and docs/, and what is said in comments before them.

    <!-- not run: REASON -->    by no test, for a reason that a person accepts
    <!-- exit code N -->        how its last command ends, if not with 0
    <!-- output: REASON -->     run, but what it prints differs from computer to computer

Of what a command prints the docs show what they like: `...` stands for anything, numbers for any
others, and lines break where they break.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST = ("README.md", "docs/quickstart.md", "docs/accuracy.md")
"""These make what the others speak of."""

_BLOCK = re.compile(r"(?ms)^((?:<!-- [^\n]* -->\n)*)( *)```(\w*)\n(.*?)^\2```$")
_SAID = re.compile(r"<!-- (not run|output|exit code):? (.*) -->")


@dataclass(frozen=True)
class Block:
    """One of a page.

    Attributes:
        kind: What stands behind the three backticks.
        said: What the comments before it say.
    """

    page: str
    line: int
    kind: str
    text: str
    said: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[tuple[list[str], str]]:
        """(Words, what is printed) of each line behind a dollar."""
        found = []
        for part in re.split(r"(?m)^\$ ", self.text)[1:]:
            command = re.match(r"(?:[^\n]*\\\n)*[^\n]*", part)
            assert command is not None
            found.append((shlex.split(command[0], comments=True), part[command.end() :]))
        return found


def blocks(page: str) -> Iterator[Block]:
    """Those of one page, as it lies in the project."""
    text = (ROOT / page).read_text()
    assert len(re.findall(r"(?m)^ *```", text)) == 2 * len(_BLOCK.findall(text)), page
    for match in _BLOCK.finditer(text):
        said = dict(_SAID.findall(match[1]))
        assert len(said) == match[1].count("<!--"), f"{page} says something unknown: {match[1]}"
        yield Block(page, text.count("\n", 0, match.start()) + 1, match[3], match[4], said)


def pages() -> list[str]:
    """All, in the order in which they are run."""
    others = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
    return list(dict.fromkeys([*FIRST, *others, "benchmarks/README.md"]))


def missing(told: str, printed: str) -> str:
    """The first piece of what the docs show that was not printed in this order."""
    rest = _plain(printed)
    for piece in map(_plain, told.split("...")):
        place = rest.find(piece)
        if place < 0:
            return piece
        rest = rest[place + len(piece) :]
    return ""


def _plain(text: str) -> str:
    """Without tables' lines, numbers and breaks."""
    drawn = re.sub(r"[\u2500-\u257f]", " ", text)
    return " ".join(re.sub(r"\d+(?:\.\d+)?", "0", drawn).split())

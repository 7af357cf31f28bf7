"""Which file keeps within what a person can spend: of accuracy, of time, of size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from mobileq.errors import UsageError
from mobileq.evaluate.ship import Candidate, which_to_ship
from mobileq.page import Page, Told, megabytes
from mobileq.spec import Spec

_Limit = Annotated[float, msgspec.Meta(ge=0)]


class Limits(Spec, frozen=True, kw_only=True):
    """What a file may cost at most; None: whatever it does.

    Attributes:
        max_loss: Of the task's figure, see `mobileq.evaluate.ship.Candidate.lost`.
        max_ms: Milliseconds of one inference, see `Candidate.on`.
        max_mb: Size in 10^6 bytes.
    """

    max_loss: _Limit | None = None
    max_ms: _Limit | None = None
    max_mb: _Limit | None = None


@dataclass(frozen=True)
class _Kind:
    """One thing that a file costs."""

    field: str
    title: str
    of: Callable[[Candidate], float | None]
    cell: Callable[[float], str]
    clause: str
    """What a file does, with the cell in its place."""
    unknown: str
    remedy: str

    def told(self, limits: Limits) -> str:
        """As the command line has it: `--max-ms 10`."""
        return f"--{self.field.replace('_', '-')} {getattr(limits, self.field):g}"

    def told_of(self, file: Candidate) -> str:
        """As a table has it."""
        value = self.of(file)
        return "-" if value is None else self.cell(value)

    def excess(self, file: Candidate, limits: Limits) -> float:
        """How often the file costs what it may; at most 1 where it keeps within it."""
        value, limit = self.of(file), getattr(limits, self.field)
        if limit is None or value is None or value <= limit:
            return 0.0
        return value / limit if limit > 0.0 else float("inf")


_VALIDATE = "Measure it with `mobileq validate BUNDLE --images FOLDER`."
_KINDS = (
    _Kind(
        "max_loss",
        "lost",
        lambda file: file.lost,
        lambda value: f"{value:z.4f}",
        "loses {}",
        "What the files lose is not known: none of the model's answers could be compared.",
        _VALIDATE,
    ),
    _Kind(
        "max_ms",
        "median ms",
        lambda file: file.latency_ms,
        lambda value: f"{value:.1f}",
        "takes {} ms",
        "How long the files take was not measured.",
        _VALIDATE,
    ),
    _Kind(
        "max_mb",
        "size",
        lambda file: file.size_bytes / 1e6,
        lambda value: megabytes(round(value * 1e6)),
        "is {}",
        "",
        "",
    ),
)


_ALONE, _ALONE_WITHIN = "it is the only file", "it is the only one within the limits"


class Recommendation(Told, Spec, frozen=True, kw_only=True):
    """Which file to ship.

    Attributes:
        file: None where none keeps within the limits.
        nearest: Then, the one that exceeds them least.
        why: In a sentence.
        others: The other files that keep within them, in the order in which they would be next.
        costs: What each of the limits costs: which file it would be without, a sentence each.
        measured: What the figures come from.
        left_out: Why other files of the bundle are not among `files`, a sentence each.
        phones: Whose times are in the bundle.
    """

    limits: Limits
    file: str | None
    nearest: str | None
    why: str
    others: tuple[str, ...]
    costs: tuple[str, ...]
    files: tuple[Candidate, ...]
    measured: str
    left_out: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """A row for each file, the sentence, and what the limits cost."""
        kinds = [kind for kind in _KINDS if any(kind.of(file) is not None for file in self.files)]
        is_of_phone = any(file.on for file in self.files)
        rows = [
            (
                *(file.name, *(kind.told_of(file) for kind in kinds)),
                *((file.on, self._standing(file)) if is_of_phone else (self._standing(file),)),
            )
            for file in self.files
        ]
        titles = (*(kind.title for kind in kinds), *(("on",) if is_of_phone else ()))
        page.table(("file", *titles, "choice"), rows, self.measured)
        for line in (*self.left_out, *self.costs):
            page.line(line)
        if self.phones and not is_of_phone:
            page.line(f"Measured on {', '.join(self.phones)}, too: see --device.", "quiet")
        if self.file is None:
            page.line(self.why, "bad")
        else:
            page.line(f"Ship {self.file}: {self.why}", "good")

    def _standing(self, file: Candidate) -> str:
        missed = [kind.told(self.limits) for kind in _KINDS if kind.excess(file, self.limits)]
        if missed:
            return f"not within {', '.join(missed)}"
        return "first" if file.name == self.file else f"then {self.others.index(file.name) + 2}"


def recommend(files: Sequence[Candidate], limits: Limits, measured: str) -> Recommendation:
    """The file that `which_to_ship` takes of those within the limits.

    Args:
        files: At least one, as of `which_to_ship`.
        measured: What their figures come from.

    Raises:
        UsageError: What is limited was not measured.
    """
    given = [kind for kind in _KINDS if getattr(limits, kind.field) is not None]
    for kind in given:
        if any(kind.of(file) is None for file in files):
            raise UsageError(kind.unknown, kind.remedy)
    order = list(_ranked(_within(files, limits), limits))
    first, why = order[0] if order else (None, _none_fits(files, given, limits))
    return Recommendation(
        limits=limits,
        file=first.name if first else None,
        nearest=None if first else _nearest(files, limits).name,
        why=why,
        others=tuple(file.name for file, _ in order[1:]),
        costs=tuple(_costs(files, given, limits, first)),
        files=tuple(files),
        measured=measured,
    )


def _nearest(files: Sequence[Candidate], limits: Limits) -> Candidate:
    return min(files, key=lambda file: max(kind.excess(file, limits) for kind in _KINDS))


def _within(files: Sequence[Candidate], limits: Limits) -> list[Candidate]:
    return [file for file in files if not any(kind.excess(file, limits) for kind in _KINDS)]


def _ranked(files: Sequence[Candidate], limits: Limits) -> Iterator[tuple[Candidate, str]]:
    """Each file, and why it is taken before those that follow."""
    left = list(files)
    while left:
        alone = _ALONE if limits == Limits() else _ALONE_WITHIN
        ship = which_to_ship(left, all_good=limits.max_loss is not None, alone=alone)
        chosen = next(file for file in left if file.name == ship.file)
        yield chosen, ship.why
        left.remove(chosen)


def _costs(
    files: Sequence[Candidate], given: Sequence[_Kind], limits: Limits, chosen: Candidate | None
) -> Iterator[str]:
    """What somebody would have who gave up one of the limits."""
    for kind in given:
        freed = msgspec.structs.replace(limits, **{kind.field: None})
        other = next((file for file, _ in _ranked(_within(files, freed), freed)), None)
        if other is not None and (chosen is None or other.name != chosen.name):
            yield f"Without {kind.told(limits)} it would be {other.name}, which {_clauses(other)}."


def _none_fits(files: Sequence[Candidate], given: Sequence[_Kind], limits: Limits) -> str:
    nearest = _nearest(files, limits)
    wanted = " and ".join(kind.told(limits) for kind in given)
    clauses = _clauses(nearest)
    return f"No file keeps within {wanted}; the nearest is {nearest.name}, which {clauses}."


def _clauses(file: Candidate) -> str:
    """All that it costs."""
    *first, last = (
        kind.clause.format(kind.cell(value))
        for kind in _KINDS
        if (value := kind.of(file)) is not None
    )
    return f"{', '.join(first)} and {last}" if first else last

"""Which of some files to ship, and why: one rule, for models of all kinds.

1. Files that are not good enough are out: with labels those that keep less than `KEPT` of the ONNX
   model's own accuracy, without those whose answers agree with the ONNX model's by less than
   `LOST_AGREEMENT`, and where nobody knows what outputs mean those under `Floor.good_db`.
2. Of the others the fastest are taken, where inferences were timed: `ABOUT_AS_FAST` is chance.
3. Of these the smallest, and of those that are `ABOUT_AS_SMALL` the one nearest to the ONNX model.

Where no file is good enough it is the one nearest to the ONNX model, and that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mobileq.evaluate.floors import FLOORS
from mobileq.manifest import AGREEMENT, BundleManifest
from mobileq.page import Page, megabytes
from mobileq.spec import Precision, Spec

KEPT = 0.95
"""Of the ONNX model's accuracy: what less of it costs is seen by whoever uses the app."""
LOST_AGREEMENT = 0.5
"""Below this a precision costs more than it is worth."""
ABOUT_AS_FAST = 1.1
_LARGER = 1.1
"""Some ops in float make an int8 file larger than that by a few hundred bytes."""
ABOUT_AS_SMALL = 1.2
"""A fifth of a file is seen by nobody; worse answers are."""
_WORSE = {"accuracy": 0.02, "agreement": 0.1, "SQNR": 6.0}
"""Less than this is chance, or nothing that anybody would see."""
_AS_GOOD = {"accuracy": 1.0}
"""To be better than the ONNX model is chance."""
_INTEGER: tuple[Precision, ...] = ("int8", "int8-full")
_BESIDE: tuple[Precision, ...] = ("dynamic", "w8", "fp16")
"""What takes neither pictures nor a search, and may be as good."""


class Candidate(Spec, frozen=True, kw_only=True):
    """One file, and what was measured of it.

    Attributes:
        name: As people are told it.
        accuracy: With labels, as a part of the ONNX model's own.
        agreement: Of its answers with the ONNX model's, 0 to 1.
        lost: Of the task's figure: with labels the ONNX model's own less the file's, without 1 less
            the agreement. None where nobody knows what outputs mean.
        sqnr_db: Of its worst output; None where it is exact, or not known.
        latency_ms: Of one inference,
        on: there: `the GPU of Pixel 9`; empty: on the computer that measured the rest.
    """

    name: str
    target: str
    precision: Precision
    size_bytes: int
    accuracy: float | None = None
    agreement: float | None = None
    lost: float | None = None
    sqnr_db: float | None = None
    latency_ms: float | None = None
    on: str = ""

    @property
    def quality(self) -> tuple[str, float]:
        """What is known of it that says most, and how much that is."""
        if self.accuracy is not None:
            return "accuracy", self.accuracy
        if self.agreement is not None:
            return "agreement", self.agreement
        return "SQNR", math.inf if self.sqnr_db is None else self.sqnr_db

    @property
    def is_good(self) -> bool:
        """Whether it is good enough for people who use it."""
        kind, value = self.quality
        if kind == "accuracy":
            return value >= KEPT
        if kind == "agreement":
            return value >= LOST_AGREEMENT
        floor = FLOORS.get(self.precision)
        return floor is None or value >= floor.good_db


class Ship(Spec, frozen=True, kw_only=True):
    """Which file to ship, None where there is none; and sentences on why, and on the others."""

    file: str | None
    why: str
    beside: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """A line for each."""
        for line in self.beside:
            page.line(line)
        if self.file is not None:
            page.line(f"Ship {self.file}: {self.why}", "good")


def which_to_ship(
    files: Sequence[Candidate], *, all_good: bool = False, alone: str = "it is the only file"
) -> Ship:
    """By the rule of this module.

    Args:
        all_good: Somebody has said what is good enough, and these are.
        alone: Why, where there is one.
        files: In the order in which they are told; of equals the first is taken. Either all have
            a latency or it is not looked at, and what is known of their quality is of one kind.
    """
    if not files:
        return Ship(file=None, why="There is no file.")
    beside = tuple(line for each in files for line in _losses(each, files))
    good = [each for each in files if all_good or each.is_good]
    if not good:
        nearest = max(files, key=lambda each: each.quality[1])
        why = (
            f"no file is as good as it should be, and it is the nearest ({_told(nearest)}); look "
            "at what it gives before you do."
        )
        return Ship(file=nearest.name, why=why, beside=beside)
    times = [each.latency_ms for each in good if each.latency_ms is not None]
    is_timed = len(times) == len(good)
    rest = good
    if is_timed:
        rest = [each for each in good if (each.latency_ms or 0.0) <= ABOUT_AS_FAST * min(times)]
    least = ABOUT_AS_SMALL * min(each.size_bytes for each in rest)
    small = [each for each in rest if each.size_bytes <= least]
    chosen = max(small, key=lambda each: each.quality[1])
    best = _best(len(good), len(rest), len(small), is_timed)
    left = [f"{each.name} ({_told(each)})" for each in files if each not in good]
    facts = [megabytes(chosen.size_bytes), _told(chosen)]
    if is_timed:
        facts.insert(0, f"{chosen.latency_ms:.1f} ms{f' on {chosen.on}' if chosen.on else ''}")
    why = (
        f"{best if len(files) > 1 else alone} ({', '.join(facts)}). "
        f"{f'Not good enough: {", ".join(left)}. ' if left else ''}"
        f"{'' if chosen.on else _unknown(is_timed)}"
    )
    return Ship(file=chosen.name, why=why.rstrip(), beside=beside)


def candidates_of(manifest: BundleManifest) -> list[Candidate]:
    """Of a bundle by what was verified when it was made, which says nothing of speed."""
    files = []
    for artifact in manifest.artifacts:
        measured = manifest.measurements.get(artifact.name, {})
        agreed = [float(each) for key, each in measured.items() if key.startswith(AGREEMENT)]
        sqnr_db = measured.get("sqnr_db")
        files.append(
            Candidate(
                name=artifact.file_name,
                target=artifact.target,
                precision=artifact.precision,
                size_bytes=artifact.size_bytes,
                agreement=agreed[0] if agreed else None,
                lost=1.0 - agreed[0] if agreed else None,
                sqnr_db=None if sqnr_db is None else float(sqnr_db),
            )
        )
    return files


def _best(good: int, fast: int, small: int, is_timed: bool) -> str:
    """What was decisive, by how many files were left after each step."""
    if good == 1:
        return "it is the only one that is good enough"
    if small > 1:
        among = f", among the {fast} fastest," if is_timed else ""
        return f"of the {small} smallest{among} it is the nearest to the ONNX model"
    if not is_timed:
        return "it is the smallest"
    return "it is the fastest" if fast == 1 else f"of the {fast} fastest it is the smallest"


def _unknown(is_timed: bool) -> str:
    if is_timed:
        return "Times are of this machine, not of a phone."
    return "Speed was not measured: see `mobileq validate`."


def _told(file: Candidate) -> str:
    kind, value = file.quality
    if kind == "accuracy":
        return f"{value:.1%} of the ONNX model's accuracy"
    if kind == "agreement":
        return f"agreement {value:.3f}"
    return "exact" if math.isinf(value) else f"{value:.1f} dB SQNR"


def _losses(file: Candidate, files: Sequence[Candidate]) -> Iterator[str]:
    """What an integer file has cost for nothing, against those that are had for less."""
    if file.precision not in _INTEGER:
        return
    larger, slower, worse = list[str](), list[str](), list[str]()
    kind, quality = file.quality
    for other in files:
        if other.target != file.target or other.precision not in _BESIDE:
            continue
        if file.size_bytes > _LARGER * other.size_bytes:
            larger.append(f"{other.name} ({megabytes(other.size_bytes)})")
        times = file.latency_ms, other.latency_ms
        if times[0] and times[1] and times[0] > ABOUT_AS_FAST * times[1]:
            slower.append(f"{other.name} ({times[1]:.1f} ms)")
        if min(other.quality[1], _AS_GOOD.get(kind, math.inf)) - quality > _WORSE[kind]:
            worse.append(f"{other.name} ({_told(other)})")
    facts = [megabytes(file.size_bytes)] if larger else []
    facts += [f"{file.latency_ms:.1f} ms"] if slower else []
    facts += [_told(file)] if worse else []
    found = {"larger": larger, "slower": slower, "worse": worse}
    losses = [f"{word} than {_listed(others)}" for word, others in found.items() if others]
    if losses:
        yield f"{file.name} ({', '.join(facts)}) is {'; '.join(losses)}."


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last

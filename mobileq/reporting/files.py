"""The table of files: what each is, what it costs, and how good it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mobileq.device_bench import BenchRow
from mobileq.evaluate.report import ArtifactScores, Lost
from mobileq.manifest import AGREEMENT
from mobileq.page import megabytes, number
from mobileq.reporting.charts import Axis, Point
from mobileq.reporting.contents import Subject
from mobileq.spec import Artifact
from mobileq.tasks.base import COUNT, Column, figure

NONE = "\N{EN DASH}"
"""Stands where there is nothing to say."""
_NUMBERS = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")
_STAGES = {
    "quantize": "Choosing ranges and float ops",
    "convert": "Converting",
    "run": "Loading and running it",
    "compare": "Comparing it with the ONNX model",
}


@dataclass(frozen=True)
class FileRow:
    """One file; `cells` stand under the table's columns but the first."""

    file: str
    cells: tuple[str, ...]
    is_chosen: bool = False
    point: Point | None = None


@dataclass(frozen=True)
class FailedFile:
    """A file that there is not, or that was not measured, and why."""

    file: str
    at: str
    reason: str
    hint: str


@dataclass(frozen=True)
class FileTable:
    """All files of a bundle, the ONNX model before them where it was measured.

    Attributes:
        worth: What charts show of how good files are.
    """

    columns: tuple[str, ...]
    rows: tuple[FileRow, ...]
    failed: tuple[FailedFile, ...]
    worth: Axis

    @property
    def points(self) -> list[Point]:
        """For charts."""
        return [row.point for row in self.rows if row.point is not None]


@dataclass(frozen=True)
class _Column:
    """What it says of a file, and of the ONNX model."""

    title: str
    of: Callable[[Artifact], str]
    reference: str = NONE


def file_table(subject: Subject, group: str | None = None) -> FileTable:
    """The files of a bundle in its own order.

    Args:
        group: What charts tell apart by colour; None: the runtimes.
    """
    columns, losses = list(_columns(subject)), known_losses(subject)
    rows = [_reference_row(columns)] if subject.scores else []
    for artifact in subject.artifacts:
        cells = tuple(column.of(artifact) for column in columns)
        name = artifact.file_name
        told = [f"{column.title} {cell}" for column, cell in zip(columns, cells, strict=True)]
        lost, candidate = losses.get(artifact.name), subject.candidates.get(artifact.name)
        point = Point(
            name=artifact.precision,
            told=f"{name}: {', '.join(told)}",
            group=group or artifact.target,
            size_mb=artifact.size_bytes / 1e6,
            lost=lost.value if lost else None if losses else _noise(subject, artifact),
            error=lost.error if lost else None,
            ms=candidate.latency_ms if candidate else None,
            on_phones={
                device: rows[artifact.name].latency_ms
                for device, rows in subject.fastest.items()
                if artifact.name in rows
            },
            is_chosen=name == subject.ship.file,
        )
        rows.append(FileRow(name, cells, point.is_chosen, point))
    measure = subject.measure
    worth = f"lost of {measure.name}" if losses and measure else "noise, % of the signal"
    return FileTable(
        columns=("file", *(column.title for column in columns)),
        rows=tuple(rows),
        failed=tuple(_failed(subject)),
        worth=Axis(worth, lambda point: point.lost),
    )


def known_losses(subject: Subject) -> dict[str, Lost]:
    """Of the task's figure, by artifact; without a validation what is missing of an agreement of 1,
    of which nobody knows the error."""
    known = {name: each.lost for name, each in subject.scores.items() if each.lost is not None}
    # A report.json of an earlier mobileq has figures and no losses.
    return known or {
        name: Lost(value=each.lost, error=None)
        for name, each in subject.candidates.items()
        if each.lost is not None
    }


def told_ops(artifact: Artifact) -> str:
    """How many ops there are of each type of number: `58 int8, 3 float32`."""
    counts = Counter[str]()
    for op, count in artifact.ops.items():
        kind = op.rpartition(" ")[2]
        counts[kind if kind in _NUMBERS else "of other types"] += count
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or NONE


def _columns(subject: Subject) -> Iterator[_Column]:
    scores, measurements = subject.scores, subject.manifest.measurements
    own = scores.get("onnx")
    size = megabytes(own.size_bytes) if own else NONE
    yield _Column("size", lambda artifact: megabytes(artifact.size_bytes), size)
    yield from _figures(subject, own)
    losses = known_losses(subject)
    if losses:
        yield _Column("lost", lambda artifact: _cell(losses.get(artifact.name)))
    yield _Column(
        "SQNR dB",
        lambda artifact: number(measurements.get(artifact.name, {}).get("sqnr_db"), ".1f", "exact"),
    )
    if scores:
        yield _Column(
            "ms here",
            lambda artifact: _latency(scores.get(artifact.name)),
            _latency(own),
        )
    for device, rows in subject.fastest.items():
        yield _Column(
            f"ms on {device}",
            lambda artifact, rows=rows: _on_phone(rows.get(artifact.name)),  # type: ignore[misc]
        )
    yield _Column("kept float", lambda artifact: str(len(artifact.recipe.keep_float) or NONE))
    yield _Column("ops", told_ops)


def _figures(subject: Subject, own: ArtifactScores | None) -> Iterator[_Column]:
    """The task's: of the validation, else of what was verified."""
    if subject.measure is None:
        return
    if not subject.scores:
        key = AGREEMENT + subject.measure.key
        known = subject.manifest.measurements
        yield _Column(
            "agreement", lambda artifact: number(known.get(artifact.name, {}).get(key), ".4f", NONE)
        )
        return
    for column in subject.measure.columns:
        if any(_figure(each, column) != NONE for each in subject.scores.values()):
            yield _Column(
                column.title,
                lambda artifact, column=column: _figure(  # type: ignore[misc]
                    subject.scores.get(artifact.name), column
                ),
                _figure(own, column),
            )


def _figure(scores: ArtifactScores | None, column: Column) -> str:
    figures = scores and {"accuracy": scores.accuracy, "agreement": scores.agreement}[column.of]
    if not figures or not figures.get(COUNT, 1):
        return NONE
    error = f" ±{figure(figures, column.error):.4f}" if column.error else ""
    return f"{figure(figures, column.key):.4f}{error}"


def _cell(lost: Lost | None) -> str:
    return NONE if lost is None else str(lost)


def _latency(scores: ArtifactScores | None) -> str:
    return NONE if scores is None else f"{scores.latency_ms:.1f}"


def _on_phone(row: BenchRow | None) -> str:
    return NONE if row is None else f"{row.latency_ms:.1f} ({row.where})"


def _noise(subject: Subject, artifact: Artifact) -> float:
    """Of the worst output, in parts of 100 of the signal."""
    sqnr_db = subject.manifest.measurements.get(artifact.name, {}).get("sqnr_db")
    return 0.0 if sqnr_db is None else 100.0 * math.pow(10.0, -float(sqnr_db) / 20.0)


def _reference_row(columns: list[_Column]) -> FileRow:
    return FileRow("the ONNX model", tuple(column.reference for column in columns))


def _failed(subject: Subject) -> Iterator[FailedFile]:
    validation = subject.report.validation
    unmeasured = [*validation.failures] if validation else []
    if validation and validation.phone:
        unmeasured += validation.phone.failures
    for each in subject.manifest.failures:
        yield FailedFile(each.file_name, _STAGES[each.stage], each.reason, each.hint)
    for each in unmeasured:
        yield FailedFile(each.file_name, "Measuring it", each.reason, each.hint)

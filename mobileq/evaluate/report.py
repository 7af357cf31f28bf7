"""What report.json holds: what was verified when a bundle was made, and validated since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec

from mobileq.bootstrap import SURE
from mobileq.errors import unreadable
from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.ship import Candidate, Ship, which_to_ship
from mobileq.evaluate.verify import Verification
from mobileq.manifest import AGREEMENT, MAX_MANIFEST_BYTES, Failure, from_json, tell_failures
from mobileq.page import Page, Told, megabytes, number, plural
from mobileq.quantize.plan import QuantPlan
from mobileq.regular_file import read_regular
from mobileq.spec import Precision, Spec
from mobileq.tasks.base import COUNT, Column, Figures, Measure, figure, measure_of

REPORT_NAME = "report.json"
AS_HERE = 0.95
"""A file that agrees less with itself on another machine gives other answers there."""
_ROUNDED: dict[str, float] = {"dynamic": 0.92, "w8": 0.92, "int8": 0.85, "int8-full": 0.85}
"""The same of precisions whose integers kernels round otherwise: half as much again as the most
that XNNPACK beside TFLite's own kernels costs (docs/phones.md); float files agree exactly there."""
_WORST, _WORDS = 3, 2
"""So many pictures are printed, with so many differences each; --json has all."""
_HALF = " Phones' GPUs compute in 16 bits: start the app on the CPU (--delegate cpu)."
NUMBERS = ("SQNR dB", "cosine")
Row = tuple[str, ...]


class Lost(Spec, frozen=True, kw_only=True):
    """What a file loses of the task's figure: with labels the ONNX model's own less the file's,
    without 1 less the agreement. `error` is its standard error, by a paired bootstrap over the
    pictures; None of a single one."""

    value: float
    error: float | None

    @property
    def is_found(self) -> bool:
        """Whether it is more than chance gives once in twenty times."""
        return self.error is not None and abs(self.value) > SURE * self.error

    def __str__(self) -> str:
        return f"{self.value:z.4f}" + ("" if self.error is None else f" ±{self.error:.4f}")


class ArtifactScores(Spec, frozen=True, kw_only=True):
    """One file on the validation images.

    `accuracy` needs labels, `agreement` (with the ONNX model's answers) does not: the task's own
    figures, by their names (see `mobileq.tasks.base.Task`). `latency_ms` is the median on the
    machine that measured. `sqnr_db` and `cosine` are of the worst output, against the ONNX model's
    numbers, where the outputs have no known meaning; of equal numbers the first is None.
    """

    name: str
    interpreter: str
    size_bytes: int
    latency_ms: float
    accuracy: Figures | None = None
    agreement: Figures | None = None
    lost: Lost | None = None
    sqnr_db: float | None = None
    cosine: float | None = None


class PictureDifference(Spec, frozen=True, kw_only=True):
    """What a file finds otherwise in one picture, see `mobileq.tasks.base.Difference`."""

    picture: str
    amount: float
    told: tuple[str, ...]


def told_worst(pictures: Sequence[PictureDifference]) -> str:
    """The end of a sentence: how many they are, which first, and what is other in them."""
    shown = "; ".join(
        f"{each.picture} ({', '.join(each.told[:_WORDS])}"
        f"{', ...' if len(each.told) > _WORDS else ''})"
        for each in pictures[:_WORST]
    )
    end = "; ..." if len(pictures) > _WORST else "."
    return f"{plural(len(pictures), 'picture')}: {shown}{end}"


class DelegateScores(Spec, frozen=True, kw_only=True):
    """One file on a phone.

    Attributes:
        delegate: What it was told to run on.
        scores: As on this computer; `latency_ms` is the phone's.
        same: Agreement with the answers that the same file gave on this computer.
        delegations: What delegates took of the model, in TFLite's words; none on plain kernels.
        lost: Of the task's figure against the same file on this computer: with labels the file's
            own here less there, without 1 less `same`.
        pictures: In which it answers otherwise than here, the most first.
    """

    delegate: str
    scores: ArtifactScores
    same: Figures | None
    delegations: tuple[str, ...] = ()
    lost: Lost | None = None
    pictures: tuple[PictureDifference, ...] = ()

    @property
    def least_as_here(self) -> float:
        """What `as_here` must be, lest it answers otherwise: rounding costs less than that."""
        return _ROUNDED.get(self.scores.name.partition("-")[2], AS_HERE)

    def as_here(self, measure: Measure | None) -> float | None:
        """`same` in one figure; None where nothing was found to compare."""
        if measure is None or not self.same or not self.same[COUNT]:
            return None
        return measure.value(self.same)

    def sentences(self, device: str, measure: Measure | None, same: float | None) -> Iterator[str]:
        """That it answers otherwise there than here, and that it is less right."""
        where = f"on the {self.delegate.upper()} of {device}"
        remedy = _HALF if self.delegate == "gpu" else ""
        if measure and self.lost and self.lost.is_found and self.lost.value > 0.0:
            yield (
                f"{self.scores.name} loses {self.lost} of {measure.name} {where}, against the same "
                f"file here.{remedy}"
            )
        elif same is not None and same < self.least_as_here:
            yield (
                f"{self.scores.name} finds something else {where} than here: they agree by "
                f"{same:.3f}.{remedy}"
            )

    @property
    def worst(self) -> str:
        """In which pictures it differs most from here, and by what."""
        where = f"{self.scores.name} on {self.delegate}"
        return f"{where} differs from here in {told_worst(self.pictures)}"


class PhoneScores(Spec, frozen=True, kw_only=True):
    """Files of a bundle on a phone, on the same images."""

    device: str
    files: tuple[DelegateScores, ...]
    failures: tuple[Failure, ...] = ()
    """Named by file and delegate."""

    def tell(self, page: Page, measure: Measure | None) -> None:
        """One row for each file and delegate, and which of them answer otherwise than here."""
        scores = [each.scores for each in self.files]
        titles, cells = _of_numbers(scores) if measure is None else _of_answers(scores, measure)
        same = [each.as_here(measure) for each in self.files]
        rows = [
            (
                *(each.scores.name, each.delegate, *row),
                *(number(value, ".4f"), f"{each.scores.latency_ms:.1f}"),
            )
            for each, row, value in zip(self.files, cells, same, strict=True)
        ]
        without = ("-",) * (len(titles) + 1)
        for failed in self.failures:
            file, _, delegate = failed.file_name.partition(" on ")
            rows.append((file, delegate, "FAILED", *without))
        page.table(("file", "on", *titles, "as here", "median ms"), rows, self.device)
        for each in self.files:
            for line in each.delegations:
                page.line(f"{each.scores.name} on {each.delegate}: {line}.", "quiet")
        for each, value in zip(self.files, same, strict=True):
            for line in each.sentences(self.device, measure, value):
                page.line(line, "bad")
            if each.pictures:
                page.line(each.worst)
        tell_failures(page, self.failures)


class Validation(Told, Spec, frozen=True, kw_only=True):
    """All files of a bundle, and first of all the ONNX model, on the same images."""

    images: int
    annotations: str | None
    machine: str
    threads: int = 0
    """Of each inference; 0: one for each processor."""
    task: str = "detect"
    """Which room's figures `scores` have; "tensors" where numbers were compared."""
    scores: tuple[ArtifactScores, ...]
    failures: tuple[Failure, ...] = ()
    """Files that could not be measured."""
    phone: PhoneScores | None = None

    def tell(self, page: Page) -> None:
        """One row for each file."""
        measure = measure_of(self.task)
        if measure is None:
            titles, cells = _of_numbers(self.scores)
            counted = plural(self.images, "sample")
        else:
            titles, cells = _of_answers(self.scores, measure)
            against = f" ({self.annotations})" if self.annotations else ", no labels"
            counted = plural(self.images, "image") + against
        rows = [
            (each.name, *row, megabytes(each.size_bytes), f"{each.latency_ms:.1f}")
            for each, row in zip(self.scores, cells, strict=True)
        ]
        without = ("-",) * (len(titles) + 1)
        rows += [(each.name, "FAILED", *without) for each in self.failures]
        threads = f", {plural(self.threads, 'thread')}" if self.threads else ""
        page.table(
            ("file", *titles, "size", "median ms"), rows, f"{counted}; {self.machine}{threads}"
        )
        interpreters = dict.fromkeys(scores.interpreter for scores in self.scores)
        page.line(f"Run by {', '.join(interpreters)}.", "quiet")
        if measure is not None:
            _tell_losses(page, self.scores, measure, self.annotations is not None)
        if measure is None:
            page.line("SQNR and cosine: of the worst output, against the ONNX model.", "quiet")
        if self.phone:
            self.phone.tell(page, measure)
        tell_failures(page, self.failures)
        self.ship.tell(page)

    @property
    def ship(self) -> Ship:
        """Which of the files to ship, by what was measured."""
        return which_to_ship(self.candidates)

    @property
    def candidates(self) -> list[Candidate]:
        """The files, as which of them to ship is asked."""
        measure = measure_of(self.task)
        reference, *files = self.scores
        return [_candidate(each, reference, measure) for each in files]

    def __repr__(self) -> str:
        files = ", ".join(scores.name for scores in self.scores)
        return f"<Validation on {self.images} images: {files}>"


def _candidate(
    scores: ArtifactScores, reference: ArtifactScores, measure: Measure | None
) -> Candidate:
    target, _, precision = scores.name.partition("-")
    accuracy = agreement = None
    if measure is not None and scores.agreement and scores.agreement[COUNT]:
        agreement = measure.value(scores.agreement)
    if measure is not None and scores.accuracy and reference.accuracy:
        own = measure.value(reference.accuracy)
        accuracy = measure.value(scores.accuracy) / own if own > 0.0 else None
    return Candidate(
        name=scores.name,
        target=target,
        precision=cast(Precision, precision),
        size_bytes=scores.size_bytes,
        accuracy=accuracy,
        agreement=agreement,
        lost=None if scores.lost is None else scores.lost.value,
        sqnr_db=scores.sqnr_db,
        latency_ms=scores.latency_ms,
    )


def _of_numbers(scores: Sequence[ArtifactScores]) -> tuple[Row, list[Row]]:
    """Titles, and the cells under them."""
    return NUMBERS, [number_cells(each.sqnr_db, each.cosine) for each in scores]


def number_cells(sqnr_db: float | None, cosine: float | None) -> Row:
    """Under `NUMBERS`, of the worst output; of equal numbers the first is None."""
    is_equal = cosine is not None and sqnr_db is None
    return "equal" if is_equal else number(sqnr_db, ".1f"), number(cosine, ".6f")


def _cell(figures: Figures | None, column: Column) -> str:
    if not figures:
        return number(None, "")
    error = f" ±{figure(figures, column.error):.4f}" if column.error else ""
    return f"{figure(figures, column.key):.4f}{error}"


def _of_answers(scores: Sequence[ArtifactScores], measure: Measure) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    for each in scores:
        known = {"accuracy": each.accuracy, "agreement": each.agreement}
        cells = (_cell(known[column.of], column) for column in measure.columns)
        rows.append((*cells, "-" if each.lost is None else str(each.lost)))
    return (*(column.title for column in measure.columns), "lost"), rows


def _tell_losses(
    page: Page, scores: Sequence[ArtifactScores], measure: Measure, labelled: bool
) -> None:
    """What the column means, and which losses may be chance."""
    losses = [(each.name, each.lost) for each in scores if each.lost is not None]
    if not any(lost.error is not None for _, lost in losses):
        return
    against = "the ONNX model's own less the file's" if labelled else "1 less the agreement"
    page.line(
        f"lost: of {measure.name}, {against}; ± its standard error (paired bootstrap over the "
        "pictures).",
        "quiet",
    )
    tell_chance(page, losses)


def tell_chance(page: Page, losses: Sequence[tuple[str, Lost]]) -> None:
    """Which losses, by the names of files, may be chance."""
    if chance := [name for name, lost in losses if not lost.is_found and lost.value != 0.0]:
        names = ", ".join(chance)
        page.line(f"No difference found, within two standard errors: {names}.", "quiet")


class BudgetReport(Spec, frozen=True, kw_only=True):
    """Whether a file keeps within what it may lose of the task's measure (mAP50-95 of boxes).

    With labels it is the float model's less the file's; without, 1 less the file's with the float
    model's answers taken for the truth, which is more severe.

    Attributes:
        met: On the pictures that decided.
        decided_lost: There, by the file in the bundle.
        reported_lost: On pictures that decided nothing.
    """

    budget: float
    met: bool
    labelled: bool
    decided_on: str
    decided_lost: float | None
    reported_images: int
    reported_lost: float | None


class Report(Spec, frozen=True, kw_only=True):
    """report.json. `layers` are of the files that a tool calibrated by itself."""

    verifications: dict[str, Verification]
    plans: dict[str, QuantPlan] = msgspec.field(default_factory=dict)
    budgets: dict[str, BudgetReport] = msgspec.field(default_factory=dict)
    layers: dict[str, tuple[LayerNoise, ...]] = msgspec.field(default_factory=dict)
    validation: Validation | None = None

    def measurements(self, artifact: str, measure: Measure | None) -> dict[str, float | int | str]:
        """The figures of one artifact that its manifest repeats; those of answers are the
        measure's."""
        found: dict[str, float | int | str] = {}
        verification = self.verifications[artifact]
        if verification.worst_sqnr_db is not None:
            found["sqnr_db"] = round(verification.worst_sqnr_db, 2)
        found["cosine"] = round(verification.worst_cosine, 6)
        # Where the ONNX model has no answer there is nothing to agree with.
        if measure is not None and verification.agreement and verification.agreement[COUNT]:
            agreed = measure.value(verification.agreement)
            found[AGREEMENT + measure.key] = round(agreed, 4)
        budget = self.budgets.get(artifact)
        if measure is not None and budget and budget.reported_lost is not None:
            found[f"lost_{measure.key}"] = round(budget.reported_lost, 4)
        for scores in self.validation.scores if self.validation else ():
            if scores.name == artifact:
                found["latency_ms"] = round(scores.latency_ms, 3)
                if measure is not None and scores.accuracy:
                    for key in measure.accuracy:
                        found[key] = round(figure(scores.accuracy, key), 4)
                if scores.cosine is not None:
                    found["validated_cosine"] = round(scores.cosine, 6)
                if scores.sqnr_db is not None:
                    found["validated_sqnr_db"] = round(scores.sqnr_db, 2)
        return found


def read_report(bundle: Path) -> Report:
    """A bundle's report.json.

    Raises:
        InputError: It can't be read, or is none.
    """
    path = bundle / REPORT_NAME
    try:
        data = read_regular(path, MAX_MANIFEST_BYTES, "a report")
    except OSError as error:
        raise unreadable(path, error) from error
    return from_json(data, Report, str(path), "Make the bundle again.")

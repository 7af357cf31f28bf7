"""Two bundles beside each other: what differs, and which of the files are worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mobileq.bootstrap import SURE
from mobileq.evaluate.changes import (
    Changed,
    LayerChange,
    changes,
    layer_changes,
    recipe_changes,
)
from mobileq.evaluate.report import (
    NUMBERS,
    Lost,
    PictureDifference,
    Report,
    number_cells,
    tell_chance,
    told_worst,
)
from mobileq.manifest import BundleManifest, Failure, tell_failures
from mobileq.page import Page, Told, megabytes, number, plural
from mobileq.spec import Artifact, Spec
from mobileq.tasks.base import Figures, Measure, measure_of

_TOLD, _LAYERS, _LONGEST = 6, 3, 40
"""Of what differs in a file so much is printed, in so many letters; --json has all."""
ONNX = "onnx"
"""The name of the models that the bundles were made of."""


class FileComparison(Spec, frozen=True, kw_only=True):
    """One file in both bundles.

    Attributes:
        is_same: It has the same bytes, and is read in the same way.
        before, after: The task's figures on the same pictures: of labels, else of the agreement
            with its own ONNX model.
        lost: Of the task's one figure since before, with the standard error of that.
        as_before: How far the answers are those of the file before, which is taken for right.
        sqnr_db, cosine: Of the worst output against the file before, where the outputs have no
            known meaning; of equal numbers the first is None.
        pictures: Which are answered otherwise than before, the most first.
        recipe: How it was made, fed and read.
        measured: What the bundles say of it, each on pictures of its own.
        ops: How many there are of each kind.
        now_float: Tensors of the ops that are kept float now, and
        no_longer_float: that were.
        layers: Tensors with more or less noise than before.
    """

    name: str
    is_same: bool
    size_before: int
    size_after: int
    before: Figures | None = None
    after: Figures | None = None
    lost: Lost | None = None
    as_before: Figures | None = None
    sqnr_db: float | None = None
    cosine: float | None = None
    pictures: tuple[PictureDifference, ...] = ()
    recipe: tuple[Changed, ...] = ()
    measured: tuple[Changed, ...] = ()
    ops: tuple[Changed, ...] = ()
    now_float: tuple[str, ...] = ()
    no_longer_float: tuple[str, ...] = ()
    layers: tuple[LayerChange, ...] = ()

    def told(self) -> Iterator[str]:
        """Sentences on how it is another, but for what stands in tables."""
        if self.pictures:
            yield f"{self.name} answers otherwise in {told_worst(self.pictures)}"
        for kept, what in ((self.now_float, "now"), (self.no_longer_float, "no longer")):
            if kept:
                yield f"{self.name}: {what} float: {_some(kept)}."
        if self.layers:
            of_each = [
                f"{each.name} ({each.op_type}: {_decibels(each.before_db)} to "
                f"{_decibels(each.after_db)})"
                for each in self.layers
            ]
            yield f"{self.name}: other noise at {_some(of_each, _LAYERS)}."


def file_comparison(
    before: Artifact,
    after: Artifact,
    manifests: tuple[BundleManifest, BundleManifest],
    reports: tuple[Report, Report],
) -> FileComparison:
    """What is known without running any."""
    name = after.name
    was, now = (manifest.measurements.get(name, {}) for manifest in manifests)
    old, new = before.recipe.keep_float, after.recipe.keep_float
    recipe = recipe_changes(before, after)
    return FileComparison(
        name=name,
        is_same=before.sha256 == after.sha256 and manifests[0].model == manifests[1].model,
        size_before=before.size_bytes,
        size_after=after.size_bytes,
        recipe=recipe,
        measured=changes(was, now),
        ops=changes(before.ops, after.ops),
        now_float=tuple(each for each in new if each not in old),
        no_longer_float=tuple(each for each in old if each not in new),
        layers=layer_changes(*reports, name),
    )


class Worse(Spec, frozen=True, kw_only=True):
    """A file that lost more than it may.

    Attributes:
        is_found: Whether that it lost at all is more than chance gives once in twenty times.
        why: One sentence.
    """

    name: str
    is_found: bool
    why: str


class Comparison(Told, Spec, frozen=True, kw_only=True):
    """What differs between two bundles.

    Attributes:
        before, after: Their folders.
        images: On how many pictures both were run; None: on none.
        task: Whose figures `files` have; None where the two have different ones.
        is_same_model: Both were made of the same ONNX file.
        changed: What concerns all files: the model, what it was made of, tools, options.
        files: Those of both; first the ONNX models themselves, where they were run.
        only_before, only_after: Files that the other has not.
        failures: Of the second what failed: when it was made, though the first has it, or now.
        unmeasured: Files of the first that could not be run.
        limit: What a file may lose of the task's figure; None: that was not asked for.
        worse: Which lost more, or fail now.
        notes: On how that was measured.
    """

    before: str
    after: str
    images: int | None = None
    annotations: str | None = None
    task: str | None = None
    is_same_model: bool
    changed: tuple[Changed, ...]
    files: tuple[FileComparison, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    unmeasured: tuple[Failure, ...] = ()
    limit: float | None = None
    worse: tuple[Worse, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def measure(self) -> Measure | None:
        """Of what was run."""
        return None if self.task is None or self.images is None else measure_of(self.task)

    def tell(self, page: Page) -> None:
        """A row for each file, then what differs, and which are worse."""
        self._tell_files(page)
        rows = [("", *_cells(each)) for each in self.changed]
        for file in self.files:
            most = sorted(file.ops, key=lambda each: -abs((each.after or 0) - (each.before or 0)))
            for listed in (file.recipe, most, () if self.images else file.measured):
                rows += [(file.name, *_cells(each)) for each in listed[:_TOLD]]
                if len(listed) > _TOLD:
                    rows.append((file.name, f"and {len(listed) - _TOLD} more", "", ""))
        if rows:
            page.table(("of", "what", "before", "after"), rows, "What differs")
        for names, what in ((self.only_before, "before"), (self.only_after, "after")):
            if names:
                page.line(f"Only {what}: {', '.join(names)}.")
        for file in self.files:
            for line in file.told():
                page.line(line)
        for line in self.notes:
            page.line(line, "quiet")
        tell_failures(page, (*self.unmeasured, *self.failures))
        self._tell_verdict(page)

    def _tell_files(self, page: Page) -> None:
        title = f"{self.before} and {self.after}"
        if self.images is not None:
            labels = f" ({self.annotations})" if self.annotations else ", no labels"
            title += f"; {plural(self.images, 'image')}{labels}"
        measure, is_measured = self.measure, any(each.before for each in self.files)
        has_numbers = any(each.cosine is not None for each in self.files)
        titles = ["file", "size before", "after"]
        if measure is not None and is_measured:
            kind = measure.name if self.annotations else "agreement"
            titles += [f"{kind} before", "after", "lost", "as before", "pictures"]
        if has_numbers:
            titles += NUMBERS
        rows = []
        for each in self.files:
            row = [each.name, megabytes(each.size_before), megabytes(each.size_after)]
            if measure is not None and is_measured:
                row += _measured_cells(each, measure)
            if has_numbers:
                row += number_cells(each.sqnr_db, each.cosine)
            rows.append(row)
        if rows:
            page.table(titles, rows, title)
        else:
            page.line(f"{title}: no file of one name.", "strong")
        if has_numbers:
            page.line("SQNR and cosine: of the worst output, against the file before.", "quiet")

    def _tell_verdict(self, page: Page) -> None:
        for each in self.worse:
            page.line(each.why, "bad")
        if self.limit is not None and not self.worse:
            page.line(f"No file lost more than {self.limit:g}.", "good")
        known = [(each.name, each.lost) for each in self.files if each.lost is not None]
        found = [(name, lost) for name, lost in known if lost.is_found]
        told = {each.name for each in self.worse}
        worse = [name for name, lost in found if lost.value > 0.0 and name not in told]
        better = [name for name, lost in found if lost.value < 0.0]
        for names, what in ((worse, "Worse than before"), (better, "Better than before")):
            if names:
                page.line(f"{what}: {', '.join(names)}.", "strong")
        tell_chance(page, known)
        if self.is_equal:
            page.line("Nothing differs.", "good")

    @property
    def is_equal(self) -> bool:
        """The bundles hold the same files, made in the same way."""
        apart = (self.changed, self.only_before, self.only_after, self.failures)
        return not any(apart) and all(
            each.is_same and not (each.recipe or each.measured) for each in self.files
        )

    def __repr__(self) -> str:
        return f"<Comparison of {self.before} and {self.after}: {len(self.files)} files>"


def files_worse(
    files: Sequence[FileComparison], failed: Sequence[Failure], limit: float, measure: Measure
) -> tuple[Worse, ...]:
    """Those that lost more than `limit`, and those that fail.

    The loss itself decides, and not whether it is beyond chance: a limit that nothing but proof
    exceeds would let everything pass on a few pictures.
    """
    found = [
        Worse(name=each.name, is_found=True, why=f"{each.name} is worse: it fails now.")
        for each in failed
    ]
    for each in files:
        if each.name == ONNX or each.lost is None or each.lost.value <= limit:
            continue
        lost = f"{each.lost} of {measure.name}, more than {limit:g}"
        why = (
            f"{each.name} is worse: it lost {lost}."
            if each.lost.is_found
            else f"{each.name} lost {lost}, though within two standard errors that may be chance: "
            "more pictures would tell."
        )
        found.append(Worse(name=each.name, is_found=each.lost.is_found, why=why))
    return tuple(found)


def unseen(files: Sequence[FileComparison], limit: float, images: int) -> str | None:
    """That a loss which is too much might not show on so few pictures; None where it would."""
    errors = [
        each.lost.error or 0.0
        for each in files
        if each.name != ONNX and each.lost is not None and each.lost.value <= limit
    ]
    blind = SURE * max(errors, default=0.0)
    if images > 1 and blind <= limit:
        return None
    if images == 1:
        return "One picture decides nothing: there is no standard error."
    return (
        f"On {plural(images, 'picture')} a loss of less than {blind:.4f} can't be told from none; "
        f"for a limit of {limit:g} give more."
    )


def _measured_cells(file: FileComparison, measure: Measure) -> list[str]:
    return [
        *(_figure(each, measure) for each in (file.before, file.after)),
        "-" if file.lost is None else str(file.lost),
        _figure(file.as_before, measure),
        "-" if file.as_before is None else str(len(file.pictures)),
    ]


def _figure(figures: Figures | None, measure: Measure) -> str:
    return number(measure.value(figures) if figures else None, ".4f")


def _cells(changed: Changed) -> tuple[str, str, str]:
    before, after = changed.before, changed.after
    return changed.what, _shown(before, after), _shown(after, before)


def _shown(value: Any, other: Any) -> str:
    """In a few letters; of lists what the other has not."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        others = other if isinstance(other, list | tuple) else ()
        own = [str(each) for each in value if each not in others]
        many = len(value) > len(own)
        told = ", ".join(own) or ("in another order" if len(value) == len(others) else "")
        value = told if told and not many else f"{len(value)}: {told}".rstrip(": ")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _some(names: Sequence[str], count: int = _TOLD) -> str:
    more = len(names) - count
    return ", ".join(names[:count]) + (f" and {more} more" if more > 0 else "")


def _decibels(value: float | None) -> str:
    return "no noise" if value is None else f"{value:.1f} dB"

"""`mobileq report`: a page about one bundle, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from pathlib import Path

from mobileq import __version__
from mobileq.bundle import Bundle, artifacts_named, read_bundle, require_artifacts
from mobileq.device_bench import Bench
from mobileq.errors import UsageError, VerificationError
from mobileq.evaluate.recommend import Recommendation
from mobileq.evaluate.report import read_report
from mobileq.onnx_runtime import kept_child
from mobileq.page import Page, Told, megabytes
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener
from mobileq.reporting.contents import Subject
from mobileq.reporting.pictures import ShownPicture
from mobileq.spec import Spec
from mobileq.workflows.recipe_file import RECIPE_NAME
from mobileq.workflows.recommend import recommend
from mobileq.workflows.report_pictures import (
    Answered,
    answered,
    calibration_folder,
    compared_file,
    contact_sheet,
    pair_of,
    shown_pictures,
)
from mobileq.workflows.results import require_file_place, written_whole

PAGE_NAME = "report.html"


class ReportPage(Told, Spec, frozen=True, kw_only=True):
    """The page that was written.

    Attributes:
        ship: What it says about which file to ship, by bundle.
    """

    path: str
    size_bytes: int
    ship: dict[str, str]

    def tell(self, page: Page) -> None:
        """The sentences, and where the page is."""
        for title, sentence in self.ship.items():
            page.line(f"{title}: {sentence}" if len(self.ship) > 1 else sentence, "good")
        page.line(f"Written: {self.path} ({megabytes(self.size_bytes)})", "strong")


def report(
    bundles: StrPath | Sequence[StrPath],
    *,
    output: StrPath = PAGE_NAME,
    images: StrPath | None = None,
    artifact: str | None = None,
    progress: Progress | None = None,
) -> ReportPage:
    """Write a page about one bundle, or about several side by side.

    Args:
        bundles: Their folders.
        output: The page, one file of HTML.
        images: Pictures to show and to compare files on, whatever `convert --calib` takes. None:
            those of the (first) bundle's calibration, where they still are where they were.
        artifact: Which file is held against the ONNX model on them: `tflite-int8`, or `int8`. None:
            the one to ship, but rather one of integers.

    Raises:
        UsageError: No bundle is given, there is no such artifact, or the page can't be put there.
        InputError: A bundle or the pictures can't be read.
    """
    from mobileq.reporting.rendering import render_page

    progress = listener(progress)
    paths = [bundles] if isinstance(bundles, str | PathLike) else bundles
    if not paths:
        raise UsageError("No bundle is given.", "Give the folder of one, or of several.")
    target = Path(output)
    require_file_place(target, "--output")
    opened = [read_bundle(Path(path)) for path in paths]
    for each in opened:
        require_artifacts(each)
    titles = _titles(opened)
    subjects = [_subject(*each) for each in zip(opened, titles, strict=True)]
    with kept_child():
        subjects, pictures = _with_pictures(
            list(zip(subjects, opened, strict=True)), optional_path(images), artifact, progress
        )
    with progress.stage("Writing the page"):
        content = render_page(subjects, pictures, __version__).encode()
    with written_whole(target, "--output") as file:
        file.write_bytes(content)
    return ReportPage(
        path=str(target),
        size_bytes=len(content),
        ship={each.title: _sentence(each) for each in subjects},
    )


def _with_pictures(
    subjects: Sequence[tuple[Subject, Bundle]],
    images: Path | None,
    artifact: str | None,
    progress: Progress,
) -> tuple[list[Subject], tuple[ShownPicture, ...]]:
    """The subjects with what pictures show, and those on which files differ most."""
    if len(subjects) > 1 and images is None:
        images = calibration_folder(subjects[0][0].manifest)  # the same for all
    done, found = list[Subject](), list[Answered]()
    for subject, bundle in subjects:
        chosen = artifacts_named(bundle, [artifact] if artifact else [])
        file = compared_file(chosen, subject.ship.file)
        try:
            pair = pair_of(subject.title, bundle, file, images, progress)
            if pair is not None:
                subject = replace(subject, sheet=contact_sheet(pair, len(subjects)))
                if subject.measure is not None:
                    found.append(answered(pair, progress))
                    subject = replace(subject, compared=found[-1].compared())
        except VerificationError as error:
            progress.notice(f"{subject.title} is shown without its answers: {error.message}")
        done.append(subject)
    return done, shown_pictures(found)


def _subject(bundle: Bundle, title: str) -> Subject:
    manifest = bundle.manifest
    recipe = bundle.path / RECIPE_NAME
    benches = tuple(bundle.benches)
    return Subject(
        title=title,
        manifest=manifest,
        report=read_report(bundle.path),
        found=recommend(bundle.path),
        on_phones=dict(_on_phones(bundle.path, benches)),
        benches=benches,
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else None,
    )


def _on_phones(path: Path, benches: Sequence[Bench]) -> Iterator[tuple[str, Recommendation]]:
    """What each phone that was measured would be given, where files ran there."""
    phones = {each.device.name: each.device for each in benches}
    for name, device in phones.items():
        with suppress(UsageError):  # none of the files ran there
            yield name, recommend(path, device=device.serial or device.model)


def _titles(bundles: Sequence[Bundle]) -> list[str]:
    """The models' names where these tell the bundles apart, else the folders'."""
    names = [each.manifest.model.name for each in bundles]
    if len(set(names)) == len(names):
        return names
    folders = [each.path.resolve().name for each in bundles]
    if len(set(folders)) == len(folders):
        return folders
    return [f"{name} ({at})" for at, name in enumerate(folders, 1)]


def _sentence(subject: Subject) -> str:
    ship = subject.ship
    return ship.why if ship.file is None else f"Ship {ship.file}: {ship.why}"

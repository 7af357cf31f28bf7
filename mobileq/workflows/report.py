"""`mobileq report`: a page about one bundle, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

from mobileq import __version__
from mobileq.bundle import Bundle, read_bundle, require_artifacts
from mobileq.device_bench import Bench
from mobileq.errors import UsageError
from mobileq.evaluate.recommend import Recommendation
from mobileq.evaluate.report import read_report
from mobileq.manifest import to_json
from mobileq.page import Page, Told, megabytes
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.reporting.contents import Subject
from mobileq.spec import Spec
from mobileq.workflows.recipe_file import recipe_file
from mobileq.workflows.recommend import recommend
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
    progress: Progress | None = None,
) -> ReportPage:
    """Write a page about one bundle, or about several side by side.

    Args:
        bundles: Their folders.
        output: The page, one file of HTML.

    Raises:
        UsageError: No bundle is given, or the page can't be put there.
        InputError: A bundle can't be read.
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
    subjects = [
        _subject(bundle, title) for bundle, title in zip(opened, _titles(opened), strict=True)
    ]
    with progress.stage("Writing the page"):
        content = render_page(subjects, __version__).encode()
    with written_whole(target, "--output") as file:
        file.write_bytes(content)
    return ReportPage(
        path=str(target),
        size_bytes=len(content),
        ship={each.title: _sentence(each) for each in subjects},
    )


def _subject(bundle: Bundle, title: str) -> Subject:
    manifest = bundle.manifest
    recipes = recipe_file(manifest.artifacts, manifest.source.set_inputs)
    benches = tuple(bundle.benches)
    return Subject(
        title=title,
        manifest=manifest,
        report=read_report(bundle.path),
        found=recommend(bundle.path),
        on_phones=dict(_on_phones(bundle.path, benches)),
        benches=benches,
        recipe=to_json(recipes).decode() if recipes else None,
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

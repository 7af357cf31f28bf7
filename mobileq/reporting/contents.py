"""What a report is made of: bundles, and what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mobileq.device_bench import Bench, BenchRow, fastest_rows, newest_rows
from mobileq.evaluate.recommend import Recommendation
from mobileq.evaluate.report import ArtifactScores, Report
from mobileq.evaluate.ship import Candidate, Ship, which_to_ship
from mobileq.manifest import BundleManifest
from mobileq.reporting.pictures import Compared, ContactSheet
from mobileq.tasks.base import Measure, measure_of, task_of

if TYPE_CHECKING:
    from mobileq.spec import Artifact


@dataclass(frozen=True)
class Subject:
    """One bundle.

    Attributes:
        title: What the page calls it, as it calls no other.
        found: Which of its files to ship, by what was measured here, and
        on_phones: by what was measured on each phone, by its name.
        benches: The newest first.
        recipe: Its recipe.json, where it has one.
        compared: One of its files beside the ONNX model, picture by picture.
        sheet: Pictures as the model sees them.
    """

    title: str
    manifest: BundleManifest
    report: Report
    found: Recommendation
    on_phones: Mapping[str, Recommendation]
    benches: tuple[Bench, ...] = ()
    recipe: str | None = None
    compared: Compared | None = None
    sheet: ContactSheet | None = None

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Its files."""
        return self.manifest.artifacts

    @cached_property
    def measure(self) -> Measure | None:
        """Of what was validated; else of the model's task."""
        if self.report.validation is not None:
            return measure_of(self.report.validation.task)
        return task_of(self.manifest.model).measure

    @cached_property
    def scores(self) -> dict[str, ArtifactScores]:
        """What was validated, by artifact; the ONNX model's by "onnx"."""
        validation = self.report.validation
        return {each.name: each for each in validation.scores} if validation else {}

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """What is known of each file, by its artifact's name."""
        return {f"{each.target}-{each.precision}": each for each in self.found.files}

    @cached_property
    def ship(self) -> Ship:
        """Which file, and why."""
        return which_to_ship(self.found.files)

    @cached_property
    def fastest(self) -> dict[str, dict[str, BenchRow]]:
        """By phone: of each artifact where it was fastest."""
        devices = dict.fromkeys(bench.device.name for bench in self.benches)
        of_each = {name: [b for b in self.benches if b.device.name == name] for name in devices}
        return {name: fastest_rows(newest_rows(benches)) for name, benches in of_each.items()}

"""What report.json holds: what was verified when a bundle was made, and validated since."""

from __future__ import annotations

import msgspec

from mobileq.evaluate.layers import LayerNoise
from mobileq.evaluate.verify import Verification
from mobileq.page import Page, Told, megabytes, number, plural
from mobileq.quantize.plan import QuantPlan
from mobileq.spec import Spec
from mobileq.tasks.detect.coco import AgreementScores, DetectionScores

Row = tuple[str, ...]


class ArtifactScores(Spec, frozen=True, kw_only=True):
    """One file on the validation images.

    `accuracy` needs labels, `agreement` (with the ONNX model's detections) does not;
    `latency_ms` is the median on the machine that measured. `sqnr_db` and `cosine` are of the worst
    output, against the ONNX model's numbers, where the outputs have no known meaning; of equal
    numbers the first is None.
    """

    name: str
    interpreter: str
    size_bytes: int
    latency_ms: float
    accuracy: DetectionScores | None = None
    agreement: AgreementScores | None = None
    sqnr_db: float | None = None
    cosine: float | None = None


class Validation(Told, Spec, frozen=True, kw_only=True):
    """All files of a bundle, and first of all the ONNX model, on the same images."""

    images: int
    annotations: str | None
    machine: str
    threads: int = 0
    """Of each inference; 0: one for each processor."""
    scores: tuple[ArtifactScores, ...]

    def tell(self, page: Page) -> None:
        """One row for each file."""
        of_numbers = any(scores.cosine is not None for scores in self.scores)
        columns, rows = self._numbers() if of_numbers else self._detections()
        against = f" ({self.annotations})" if self.annotations else ", no labels"
        threads = f", {plural(self.threads, 'thread')}" if self.threads else ""
        counted = plural(self.images, "sample" if of_numbers else "image")
        page.table(
            columns, rows, f"{counted}{'' if of_numbers else against}; {self.machine}{threads}"
        )
        interpreters = dict.fromkeys(scores.interpreter for scores in self.scores)
        page.line(f"Run by {', '.join(interpreters)}.", "quiet")
        if of_numbers:
            page.line("SQNR and cosine: of the worst output, against the ONNX model.", "quiet")

    def _numbers(self) -> tuple[Row, list[Row]]:
        rows = [
            (
                scores.name,
                "equal" if scores.cosine and scores.sqnr_db is None
                else number(scores.sqnr_db, ".1f"),
                number(scores.cosine, ".6f"),
                megabytes(scores.size_bytes),
                f"{scores.latency_ms:.1f}",
            )
            for scores in self.scores
        ]  # fmt: skip
        return ("file", "SQNR dB", "cosine", "size", "median ms"), list(rows)

    def _detections(self) -> tuple[Row, list[Row]]:
        rows = [
            (
                scores.name,
                number(scores.accuracy.map50_95 if scores.accuracy else None, ".4f"),
                number(scores.accuracy.map50 if scores.accuracy else None, ".4f"),
                number(scores.agreement.map50_95 if scores.agreement else None, ".4f"),
                megabytes(scores.size_bytes),
                f"{scores.latency_ms:.1f}",
            )
            for scores in self.scores
        ]
        return ("file", "mAP50-95", "mAP50", "agreement", "size", "median ms"), list(rows)

    def __repr__(self) -> str:
        files = ", ".join(scores.name for scores in self.scores)
        return f"<Validation on {self.images} images: {files}>"


class BudgetReport(Spec, frozen=True, kw_only=True):
    """Whether a file keeps within the mAP50-95 that it may lose.

    With labels it is the float model's mAP less the file's; without, 1 less the mAP of the file's
    detections with the float model's taken for the truth, which is more severe.

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

    def measurements(self, artifact: str) -> dict[str, float | int | str]:
        """The figures of one artifact that its manifest repeats."""
        found: dict[str, float | int | str] = {}
        verification = self.verifications[artifact]
        if verification.worst_sqnr_db is not None:
            found["sqnr_db"] = round(verification.worst_sqnr_db, 2)
        found["cosine"] = round(verification.worst_cosine, 6)
        if verification.agreement:
            found["agreement_map50_95"] = round(verification.agreement.map50_95, 4)
        budget = self.budgets.get(artifact)
        if budget and budget.reported_lost is not None:
            found["lost_map50_95"] = round(budget.reported_lost, 4)
        for scores in self.validation.scores if self.validation else ():
            if scores.name == artifact:
                found["latency_ms"] = round(scores.latency_ms, 3)
                if scores.accuracy:
                    found["map50_95"] = round(scores.accuracy.map50_95, 4)
                    found["map50"] = round(scores.accuracy.map50, 4)
                if scores.cosine is not None:
                    found["validated_cosine"] = round(scores.cosine, 6)
                if scores.sqnr_db is not None:
                    found["validated_sqnr_db"] = round(scores.sqnr_db, 2)
        return found

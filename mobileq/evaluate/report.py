"""What report.json holds: what was verified when a bundle was made, and validated since."""

from __future__ import annotations

from mobileq.evaluate.coco import AgreementScores, DetectionScores
from mobileq.evaluate.verify import Verification
from mobileq.spec import Spec


class ArtifactScores(Spec, frozen=True, kw_only=True):
    """One file on the validation images.

    `accuracy` needs labels, `agreement` (with the ONNX model's detections) does not;
    `latency_ms` is the median on the machine that measured.
    """

    name: str
    interpreter: str
    size_bytes: int
    latency_ms: float
    accuracy: DetectionScores | None = None
    agreement: AgreementScores | None = None


class Validation(Spec, frozen=True, kw_only=True):
    """All files of a bundle, and first of all the ONNX model, on the same images."""

    images: int
    annotations: str | None
    machine: str
    scores: tuple[ArtifactScores, ...]


class Report(Spec, frozen=True, kw_only=True):
    """report.json."""

    verifications: dict[str, Verification]
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
        for scores in self.validation.scores if self.validation else ():
            if scores.name == artifact:
                found["latency_ms"] = round(scores.latency_ms, 3)
                if scores.accuracy:
                    found["map50_95"] = round(scores.accuracy.map50_95, 4)
                    found["map50"] = round(scores.accuracy.map50, 4)
        return found

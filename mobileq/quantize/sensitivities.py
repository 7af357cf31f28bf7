"""What `sensitivity` gives: the groups of ops that quantization hurts, as a table."""

from __future__ import annotations

import math

from mobileq.page import Page, Told, number, span
from mobileq.quantize.sensitivity import GroupSensitivity
from mobileq.spec import HeadKind, Spec
from mobileq.tasks.base import measure_of

_GROUPS_SHOWN = 20
_GROUPS_EXPLAINED = 5


class Sensitivity(Told, Spec, frozen=True, kw_only=True):
    """What `sensitivity` prints, and what is in sensitivity.json.

    Attributes:
        head: What the model that was looked at ends in.
        ranges: The calibrator they are from; "model" for the scales that the model came with.
        calibration_images: The ranges are from.
        samples: Pictures that each group was run on.
        error_of: What errors are of: "outputs" (their noise over their signal), or what the task
            makes of them ("candidates": boxes and scores before suppression).
        task: Whose measure agreement is.
        groups: The most sensitive first.
    """

    model: str
    family: str | None
    head: HeadKind
    ranges: str
    calibration_images: int
    samples: int
    error_of: str
    task: str = "detect"
    groups: tuple[GroupSensitivity, ...]

    def tell(self, page: Page) -> None:
        """The groups that cost most, and what each looks like."""
        shown = self.groups[:_GROUPS_SHOWN]
        agreed = any(group.agreement is not None for group in shown)
        rows = [
            (
                group.op_type,
                group.name,
                f"{group.share:.1%}",
                f"{math.sqrt(group.error):.4f}",
                f"{group.sqnr_db:.1f}",
                *((number(group.agreement, ".3f"),) if agreed else ()),
                f"{group.weight_count:,}",
                span(group.low, group.high),
            )
            for group in shown
        ]
        columns = ("op", "tensor", "share", "error", "SQNR dB")
        columns += (*(("agreement",) if agreed else ()), "weights", "range")
        title = f"{self.model}: each group of ops alone in 8 bits, {self.samples} pictures"
        page.table(columns, rows, title)
        if len(self.groups) > len(shown):
            rest = sum(group.share for group in self.groups[len(shown) :])
            page.line(f"{len(self.groups) - len(shown)} more groups have {rest:.1%}.", "quiet")
        for group in self.groups[:_GROUPS_EXPLAINED]:
            page.line(f"{group.name}: {group.why}")
        measure = measure_of(self.task)
        if measure is None or self.error_of == "outputs":
            page.line("error: noise of the outputs over their signal, as a root.", "quiet")
        else:
            page.line(f"error: {measure.error}; share: of the sum of its squares.", "quiet")
        if measure is not None and agreed:
            page.line(
                f"agreement: {measure.name} of the {measure.answers}, the float model's taken for "
                "the truth.",
                "quiet",
            )

    def __repr__(self) -> str:
        first = ", ".join(f"{group.name} {group.share:.0%}" for group in self.groups[:3])
        return f"<Sensitivity of {self.model}, {len(self.groups)} groups: {first} ...>"

"""What `ship` gives: how each of its stages went, and which file to ship."""

from __future__ import annotations

from typing import Literal

from mobileq.errors import EXIT_OK
from mobileq.evaluate.recommend import Recommendation
from mobileq.page import Page, Told
from mobileq.spec import Spec

STAGES = ("convert", "push", "validate", "bench", "app", "install")
ON_PHONE = ("push", "bench", "install")
"""Stages that there is nothing to do in without a phone."""
State = Literal["done", "as before", "FAILED", "left out"]


class ShipStage(Spec, frozen=True, kw_only=True):
    """One stage.

    Attributes:
        state: `as before` is what an earlier run did and is still right.
        told: What came of it, or why nothing did.
        hint: What to do about that.
        problem: What failed in a stage that came to its end all the same, and why.
        exit_code: Of what went wrong in it; 0 where nothing did.
    """

    name: str
    state: State
    told: str
    hint: str = ""
    problem: str = ""
    exit_code: int = EXIT_OK


class Shipped(Told, Spec, frozen=True, kw_only=True):
    """All stages, in their order.

    Attributes:
        bundle, app: Their folders, where there are such.
        device: The phone, as adb calls it.
        recommendation: The file to ship, by that phone's times where it was timed.
    """

    output: str
    bundle: str | None
    app: str | None
    device: str | None
    stages: tuple[ShipStage, ...]
    recommendation: Recommendation | None

    @property
    def failed(self) -> ShipStage | None:
        """The first stage that failed, else the first of which a file did."""
        wrong = [each for each in self.stages if each.exit_code]
        return next((each for each in wrong if each.state == "FAILED"), wrong[0] if wrong else None)

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong; without a phone there is less that can."""
        return self.failed is None

    @property
    def exit_code(self) -> int:
        """As of the command."""
        return EXIT_OK if self.failed is None else self.failed.exit_code

    def tell(self, page: Page) -> None:
        """A row for each stage, then the files and the sentence which of them to ship."""
        rows = [
            (each.name, each.state, each.told if each.state in ("done", "as before") else "-")
            for each in self.stages
        ]
        page.table(("stage", "state", "what"), rows)
        reasons: dict[str, list[str]] = {}
        for each in self.stages:
            if each.state == "left out":
                reasons.setdefault(each.told, []).append(each.name)
            elif each.state == "FAILED":
                page.line(f"{each.name} FAILED: {each.told} {each.hint}".rstrip(), "bad")
            elif each.problem:
                page.line(f"{each.name}: {each.problem}", "bad")
        for reason, names in reasons.items():
            page.line(f"{', '.join(names)} left out: {reason}")
        if self.recommendation is not None:
            self.recommendation.tell(page)
        for what, place in (("Bundle", self.bundle), ("App", self.app)):
            if place is not None:
                page.line(f"{what}: {place}", "strong")

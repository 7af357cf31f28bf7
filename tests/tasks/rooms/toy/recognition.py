"""Takes whatever gives four numbers for a picture."""

from __future__ import annotations

from typing import cast

from mobileq.spec import ModelSpec, Task
from mobileq.tasks.recognition import Claim, ModelFacts, Reasons

FAMILIES = ("colours",)
READING = None
LABELS = {"paints": ("red", "green", "blue", "white")}


def claim(facts: ModelFacts, family: str | None) -> Claim | Reasons:
    if isinstance(facts.picture, str):
        return {"colours": facts.picture}
    if isinstance(facts.rows, str) or [each.shape for each in facts.rows] != [(1, 4)]:
        return {"colours": "it does not give four numbers"}
    preprocess = facts.picture.preprocess("stretch")
    return Claim(task=cast(Task, "toy"), family="colours", preprocess=preprocess, class_count=4)


def misfit(spec: ModelSpec) -> str | None:
    return None

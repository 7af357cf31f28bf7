"""What the gradient of an operator's inputs is when that of its outputs is known, as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mobileq.graph.gradients import (
    arithmetic,
    functions,
    moves,
    pooling,
    products,
    statistics,
)
from mobileq.graph.gradients.step import Found, Refused, Rule, Step, Tape

RULES: Final[Mapping[str, Rule]] = {
    **functions.RULES,
    **arithmetic.RULES,
    **products.RULES,
    **moves.RULES,
    **pooling.RULES,
    **statistics.RULES,
}
"""By op type; an operator that is not here has no gradient."""

__all__ = ["RULES", "Found", "Refused", "Rule", "Step", "Tape"]

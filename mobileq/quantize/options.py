"""What a person can say about how an integer file is made."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mobileq.quantize.groups import find_groups
from mobileq.quantize.plan import Calibrator, matching_groups
from mobileq.quantize.repairs.registry import DEFAULT_REPAIRS, added_tensors
from mobileq.spec import Precision, QuantRecipe

if TYPE_CHECKING:
    from onnx import ModelProto


SENSITIVE = "sensitive"
"""In place of a pattern: the ops that a search finds."""


@dataclass(frozen=True)
class QuantOptions:
    """What a person can say about it.

    Attributes:
        search: Try files on the decision pictures; without, ranges are by mean squared error and
            no op is looked at.
        budget: Of the task's measure (mAP50-95 of boxes), what may be lost; None for "until more
            float ops bring little".
        keep_float: Regular expressions on tensor names, and `SENSITIVE`, which is for other tools
            than mobileq: its own search finds these ops anyway.
        repairs: Of `mobileq.quantize.repairs`; None for those that help where they were tried.
    """

    calibrator: Calibrator = "auto"
    search: bool = True
    budget: float | None = None
    keep_float: tuple[str, ...] = ()
    repairs: tuple[str, ...] | None = None

    @property
    def float_patterns(self) -> tuple[str, ...]:
        """Those of `keep_float` that name ops."""
        return tuple(each for each in self.keep_float if each != SENSITIVE)

    def wanted_repairs(self, precision: Precision) -> tuple[str, ...]:
        """Those that are carried out before anything is tried."""
        if self.repairs is None:
            return () if precision == "int16x8" else DEFAULT_REPAIRS
        return self.repairs


def as_options(recipe: QuantRecipe) -> QuantOptions:
    """What makes the same file again."""
    return QuantOptions(
        calibrator=cast(Calibrator, recipe.calibrator or "auto"),
        search=False,
        keep_float=tuple(f"^{re.escape(name)}$" for name in recipe.keep_float),
        repairs=recipe.repairs,
    )


def check_keep_float(model: ModelProto, precision: Precision, options: QuantOptions) -> None:
    """Before anything is made, as far as the prepared model tells what there will be.

    Raises:
        UsageError: A pattern matches nothing, nor what the repairs may add.
    """
    added = added_tensors(model, options.wanted_repairs(precision))
    groups = [
        dataclasses.replace(group, tensors=(*group.tensors, *added)) for group in find_groups(model)
    ]
    matching_groups(groups, options.float_patterns)

"""From calibration samples to what every target needs: ranges, and the ops that stay float."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from mobileq.calibration.purposes import attention_logits, purposes
from mobileq.calibration.ranges import Method, estimate
from mobileq.errors import UsageError
from mobileq.graph.fold_preprocessing import FOLDED, FOLDED_IN, PIXELS
from mobileq.quantize.group_plans import GroupPlan
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.search import Trial
from mobileq.spec import ModelSpec, Spec, TensorRange, TensorRanges
from mobileq.tasks.base import task_of

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.calibration.statistics import Statistics

FixedRanges = Mapping[str, tuple[float, float]]
Calibrator = Literal["auto", Method]
TRIED: Final[tuple[Method, ...]] = ("mse", "percentile", "min_max", "moving_average", "admm")
"""What `auto` chooses from, the first of those that are about equal. Not entropy: of 20 files of
four detectors it lost most in each, 2 to 33 times what the best did."""


class QuantPlan(Spec, frozen=True, kw_only=True):
    """What to quantize and how, by the ONNX model's tensor names.

    Attributes:
        keep_float: For each group that stays float, the name of the tensor that it gives.
        float_tensors: All tensors of these groups.
        trials: What was tried on the decision pictures.
        decided_on: Which these are, and by what they were judged.
        budget_met: Whether the budget holds on them; None without one.
        decided_lost: Of the task's measure (mAP50-95 of boxes), what the file lost on them, where
            that was looked at.
        groups: What that means for each group, for reports.
    """

    calibrator: str
    ranges: dict[str, TensorRange]
    repairs: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    float_tensors: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    decided_on: str = ""
    budget_met: bool | None = None
    decided_lost: float | None = None
    groups: tuple[GroupPlan, ...] = ()


def model_ranges(
    model: ModelProto,
    spec: ModelSpec,
    statistics: Statistics,
    method: Method,
    bits: int = 8,
    fixed: FixedRanges | None = None,
) -> TensorRanges:
    """Ranges of all tensors by one method, errors counted where they matter.

    Args:
        fixed: By op type: the range of what it gives, in 8 bits, that whoever runs it insists on.
    """
    # 16 bits have levels enough for what no one looks at.
    known = purposes(model, task_of(spec).sigmoids) if bits == 8 else {}
    found = estimate(statistics, method, bits, known)
    if bits != 8:
        return found
    for name in attention_logits(model) & found.keys():
        least, most = found[name].min, statistics.tensors[name].max
        found[name] = TensorRange(min=least, max=max(most, found[name].max))
    for node in model.graph.node:
        if fixed and node.op_type in fixed and node.output[0] in found:
            low, high = fixed[node.op_type]
            found[node.output[0]] = TensorRange(min=low, max=high)
        if node.name in (FOLDED, FOLDED_IN):
            found[node.input[0]] = TensorRange(min=PIXELS[0], max=PIXELS[1])
    return found


def matching_groups(groups: Sequence[OpGroup], patterns: Sequence[str]) -> tuple[str, ...]:
    """Names of the groups that give a tensor which one of the patterns matches (`re.search`).

    Raises:
        UsageError: A pattern matches nothing.
        re.error: A pattern is no regular expression.
    """
    found: set[str] = set()
    for pattern in patterns:
        expression = re.compile(pattern)
        names = {
            group.name for group in groups if any(expression.search(name) for name in group.tensors)
        }
        if not names:
            raise UsageError(
                f"--keep-float {pattern!r} matches no op's output.",
                "Name tensors before the decoding; `mobileq sensitivity` lists the model's.",
            )
        found |= names
    return tuple(group.name for group in groups if group.name in found)


def tensors_of(groups: Sequence[OpGroup], names: Sequence[str]) -> tuple[str, ...]:
    """All tensors that the groups of these names give."""
    chosen = set(names)
    return tuple(tensor for group in groups if group.name in chosen for tensor in group.tensors)

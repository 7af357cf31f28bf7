"""What a plan means for each group of ops, as reports show it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from mobileq.calibration.quantization_error import ErrorModel
from mobileq.quantize.explain import reason
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.sensitivity import decibels, weight_errors
from mobileq.quantize.simulate import inside
from mobileq.spec import Spec, TensorRange

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.calibration.observers import TensorStatistics


class GroupPlan(Spec, frozen=True, kw_only=True):
    """One group of ops, in the order in which they run.

    Attributes:
        name: The tensor that it gives.
        is_float: Whether it stays float.
        share: Of what rounding all groups costs at the outputs, each alone; None where that was not
            looked at.
        sqnr_db: Signal to the noise of rounding and clipping that tensor alone, by its histogram.
        low, high: The range that the tensor has in integers, and
        seen_low, seen_high: what it held on the calibration samples.
        why: What it looks like, in a few words.
    """

    name: str
    op_type: str
    is_float: bool
    share: float | None
    sqnr_db: float
    low: float
    high: float
    seen_low: float
    seen_high: float
    why: str


def group_plans(
    model: ModelProto,
    groups: Sequence[OpGroup],
    ranges: Mapping[str, TensorRange],
    tensors: Mapping[str, TensorStatistics],
    kept: Collection[str],
    errors: Mapping[str, float],
) -> tuple[GroupPlan, ...]:
    """Of all groups whose tensors have ranges and were seen.

    Args:
        kept: Names of those that stay float.
        errors: See `hosted_parts.part_errors`; empty where they were not looked at.
    """
    known = [each for each in groups if each.name in ranges and each.name in tensors]
    known = [each for each in known if all(name in ranges for name in each.tensors)]
    costs = {
        each.name: errors.get(each.name, 0.0) + errors.get(inside(each.name), 0.0) for each in known
    }
    whole = math.fsum(costs.values())
    weights = weight_errors(model, known)
    return tuple(
        GroupPlan(
            name=each.name,
            op_type=each.op_type,
            is_float=each.name in kept,
            share=costs[each.name] / whole if whole > 0.0 else None,
            sqnr_db=_sqnr_db(tensors[each.name], ranges[each.name]),
            low=ranges[each.name].min,
            high=ranges[each.name].max,
            seen_low=tensors[each.name].min,
            seen_high=tensors[each.name].max,
            why=reason(each, ranges, tensors, weights.get(each.name)),
        )
        for each in known
    )


def _sqnr_db(tensor: TensorStatistics, found: TensorRange) -> float:
    model = ErrorModel(tensor, 8)
    error = float(model.error(*model.grid(min(found.min, 0.0), max(found.max, 0.0))))
    return decibels(error / model.power) if model.power > 0.0 else decibels(0.0)

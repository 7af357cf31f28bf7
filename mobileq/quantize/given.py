"""The plan that a model brings along: the scales it was trained or calibrated with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mobileq.graph.quantized import GivenQuantization
from mobileq.quantize.groups import find_groups
from mobileq.quantize.plan import QuantPlan, matching_groups

CALIBRATOR: Final = "model"
"""What a recipe names where the model's own scales were taken."""


def given_plan(model_bytes: bytes, given: GivenQuantization, patterns: Sequence[str]) -> QuantPlan:
    """A model's own scales and float ops; nothing is calibrated or searched.

    Args:
        model_bytes: The prepared float model that was found in the quantized one.
        patterns: As of `plan_quantization`: ops that stay float in addition.

    Raises:
        UsageError: A pattern matches nothing.
    """
    import onnx

    groups = find_groups(onnx.load_model_from_string(model_bytes))
    wanted = matching_groups(groups, patterns)
    unquantized = set(given.unquantized)
    return QuantPlan(
        calibrator=CALIBRATOR,
        ranges=given.ranges,
        keep_float=tuple(
            group.name
            for group in groups
            if group.name in wanted or not unquantized.isdisjoint(group.tensors)
        ),
    )
